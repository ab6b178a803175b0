using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Training.State;

/// <summary>What a step of the optimiser works with besides the gradient.</summary>
/// <param name="GradientScale">Factor on the gradient: below 1 where it is clipped.</param>
/// <param name="WeightDecay">Part of each parameter, times the learning rate, that the step takes away (AdamW, arXiv 1711.05101).</param>
public readonly record struct OptimiserStep(double LearningRate, double GradientScale, double WeightDecay)
{
    /// <param name="step">Steps that were applied before.</param>
    /// <param name="totalSteps">Of the run.</param>
    /// <param name="normPerDim">Of the gradient of the mean over all pixels' channels of the step.</param>
    public static OptimiserStep Of(RunSpec spec, long step, long totalSteps, double normPerDim) => new(
        LearningRateOf(spec, step, totalSteps), spec.ClipNorm is { } most && normPerDim > most ? most / normPerDim : 1, spec.WeightDecay);

    /// <summary>Learning rate of step number <paramref name="step"/>, counted from 0.</summary>
    public static double LearningRateOf(RunSpec spec, long step, long totalSteps)
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
}
