namespace PixelCnnCluster.Contracts;

/// <summary>What a checkpoint says of the model in it.</summary>
/// <param name="Path">The checkpoint's file.</param>
/// <param name="Run">Name of the run that wrote it.</param>
/// <param name="Step">Committed steps.</param>
/// <param name="StateHash">Tells this state from every other.</param>
/// <param name="Channels">1 for grey images, 3 for colour.</param>
/// <param name="Size">Side of the images in pixels.</param>
/// <param name="Classes">Classes that the model is conditioned on; 0 for none.</param>
/// <param name="TestBitsPerDim">Null where it was not scored.</param>
[GenerateSerializer, Immutable]
public sealed record ModelInfo(
    string Path, string Run, long Step, string StateHash, int Channels, int Size, int Classes, RunSpec Spec, double? TestBitsPerDim)
{
    /// <summary>Its run had run out of the numbers: it samples and scores nothing of use.</summary>
    [Id(0)]
    public bool IsDiverged { get; init; }

    /// <summary>Bytes of one image.</summary>
    public int ImageBytes => Channels * Size * Size;

    /// <summary>False for a network trained by energy distance, which gives samples and no probabilities.</summary>
    public bool HasLikelihood => Spec.Model.Objective != Objective.EnergyDistance;
}
