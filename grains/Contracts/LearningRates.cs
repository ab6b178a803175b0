using System.Globalization;

namespace PixelCnnCluster.Contracts;

/// <summary>How the learning rate of a run changes with its steps.</summary>
public static class LearningRates
{
    /// <summary>A rate this many times smaller than the first trains nothing any more.</summary>
    private const double Dead = 1000;

    /// <summary>Learning rate of step number <paramref name="step"/>, counted from 0.</summary>
    /// <param name="totalSteps">Of the run.</param>
    public static double Of(RunSpec spec, long step, long totalSteps)
    {
        double start = spec.LearningRate, end = spec.FinalLearningRate ?? start / 20;
        double done = Math.Clamp((double)(step - spec.WarmupSteps) / Math.Max(1, totalSteps - spec.WarmupSteps), 0, 1);
        double rate = spec.Schedule switch
        {
            LearningRateSchedule.Constant => start,
            LearningRateSchedule.Linear => start + ((end - start) * done),
            LearningRateSchedule.Cosine => end + ((start - end) * (1 + Math.Cos(Math.PI * done)) / 2),
            _ => start * Math.Pow(spec.LearningRateDecay, step + 1),
        };
        return rate * Math.Min(1, (step + 1.0) / Math.Max(1, spec.WarmupSteps));
    }

    /// <summary>A sentence for a run whose rate is next to nothing long before its end; null for any other.</summary>
    public static string? Warning(RunSpec spec, long totalSteps)
    {
        double half = Of(spec, totalSteps / 2, totalSteps);
        return half * Dead >= spec.LearningRate
            ? null
            : string.Create(
                CultureInfo.InvariantCulture,
                $"The learning rate falls from {spec.LearningRate:G3} to {half:G3} in the first half of {totalSteps:N0} steps, and the " +
                $"rest trains next to nothing; give --lr-schedule cosine, or an --lr-decay nearer to 1.");
    }
}
