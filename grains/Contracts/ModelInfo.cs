namespace PixelCnnCluster.Contracts;

/// <summary>What a checkpoint says of the model in it.</summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties), Immutable]
public sealed record ModelInfo
{
    /// <summary>The checkpoint's file.</summary>
    public required string Path { get; init; }

    /// <summary>Name of the run that wrote it.</summary>
    public required string Run { get; init; }

    /// <summary>Committed steps.</summary>
    public required long Step { get; init; }

    /// <summary>Tells this state from every other.</summary>
    public required string StateHash { get; init; }

    /// <summary>1 for grey images, 3 for colour.</summary>
    public required int Channels { get; init; }

    /// <summary>Side of the images in pixels.</summary>
    public required int Size { get; init; }

    /// <summary>Classes that the model is conditioned on; 0 for none.</summary>
    public int Classes { get; init; }

    public required RunSpec Spec { get; init; }

    /// <summary>Null where it was not scored.</summary>
    public double? TestBitsPerDim { get; init; }

    /// <summary>Its run had run out of the numbers: it samples and scores nothing of use.</summary>
    public bool IsDiverged { get; init; }

    /// <summary>Bytes of one image.</summary>
    public int ImageBytes => Channels * Size * Size;

    /// <summary>False for a network trained by energy distance, which gives samples and no probabilities.</summary>
    public bool HasLikelihood => Spec.Model.Objective != Objective.EnergyDistance;
}
