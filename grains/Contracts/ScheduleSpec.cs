using System.Globalization;

namespace PixelCnnCluster.Contracts;

/// <summary>How the learning rate changes with the steps.</summary>
public enum LearningRateSchedule
{
    /// <summary>By a constant factor with each step, as in the published program.</summary>
    Exponential,

    Constant,

    /// <summary>In a straight line to the final rate at the end of the run.</summary>
    Linear,

    /// <summary>As half a cosine to the final rate at the end of the run (arXiv 1608.03983).</summary>
    Cosine,
}

/// <summary>The learning rate of a run.</summary>
public sealed record ScheduleSpec
{
    /// <summary>A rate this many times smaller than the first trains nothing any more.</summary>
    private const double Dead = 1000;

    public double LearningRate { get; init; } = 0.001;

    /// <summary>Factor on the learning rate at each step of <see cref="LearningRateSchedule.Exponential"/>.</summary>
    public double LearningRateDecay { get; init; } = 0.999995;

    public LearningRateSchedule Schedule { get; init; } = LearningRateSchedule.Exponential;

    /// <summary>Steps at the beginning in which the learning rate rises from near 0.</summary>
    public long WarmupSteps { get; init; }

    /// <summary>Learning rate at the end of a linear or cosine schedule; null for a twentieth of the first.</summary>
    public double? FinalLearningRate { get; init; }

    /// <summary>Learning rate of step number <paramref name="step"/>, counted from 0.</summary>
    /// <param name="totalSteps">Of the run.</param>
    public double RateAt(long step, long totalSteps)
    {
        double start = LearningRate, end = FinalLearningRate ?? start / 20;
        double done = Math.Clamp((double)(step - WarmupSteps) / Math.Max(1, totalSteps - WarmupSteps), 0, 1);
        double rate = Schedule switch
        {
            LearningRateSchedule.Constant => start,
            LearningRateSchedule.Linear => start + ((end - start) * done),
            LearningRateSchedule.Cosine => end + ((start - end) * (1 + Math.Cos(Math.PI * done)) / 2),
            _ => start * Math.Pow(LearningRateDecay, step + 1),
        };
        return rate * Math.Min(1, (step + 1.0) / Math.Max(1, WarmupSteps));
    }

    /// <summary>A sentence for a run whose rate is next to nothing long before its end; null for any other.</summary>
    public string? Warning(long totalSteps)
    {
        double half = RateAt(totalSteps / 2, totalSteps);
        return half * Dead >= LearningRate
            ? null
            : string.Create(
                CultureInfo.InvariantCulture,
                $"The learning rate falls from {LearningRate:G3} to {half:G3} in the first half of {totalSteps:N0} steps, and the " +
                $"rest trains next to nothing; give --lr-schedule cosine, or an --lr-decay nearer to 1.");
    }

    internal void Validate(SpecMistakes mistakes)
    {
        mistakes.Unless(
            LearningRate is > 0 and < double.PositiveInfinity, $"--learning-rate is {LearningRate}; give a number above 0.");
        mistakes.Unless(
            LearningRateDecay is > 0 and <= 1, $"--lr-decay is {LearningRateDecay}; give a factor above 0 and up to 1.");
        mistakes.Within(WarmupSteps, 0, long.MaxValue, "--warmup");
        mistakes.Unless(
            FinalLearningRate is null or (>= 0 and < double.PositiveInfinity), $"--final-lr is {FinalLearningRate}; give 0 or more.");
        mistakes.Unless(
            FinalLearningRate is null || Schedule is LearningRateSchedule.Linear or LearningRateSchedule.Cosine,
            "--final-lr is for --lr-schedule linear and cosine; give one of these or leave it out.");
    }
}
