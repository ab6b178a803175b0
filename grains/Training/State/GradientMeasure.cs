namespace PixelCnnCluster.Training.State;

/// <summary>What a gradient's norm decides: the step of a gradient that is not finite counts, and changes nothing else.</summary>
/// <param name="Norm">Euclidean norm of the whole gradient; not finite if any part of it is not.</param>
/// <param name="SkippedInARow">Skipped steps up to this one, counted back to the last that was not skipped.</param>
public readonly record struct GradientMeasure(double Norm, int SkippedInARow)
{
    public bool IsSkipped => SkippedInARow > 0;

    /// <param name="skippedBefore">Skipped steps in a row before this step.</param>
    public static GradientMeasure Of(double norm, int skippedBefore) => new(norm, double.IsFinite(norm) ? 0 : skippedBefore + 1);
}
