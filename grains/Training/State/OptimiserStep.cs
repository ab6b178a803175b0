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
        spec.Schedule.RateAt(step, totalSteps),
        spec.Optimiser.ClipNorm is { } most && normPerDim > most ? most / normPerDim : 1,
        spec.Optimiser.WeightDecay);
}
