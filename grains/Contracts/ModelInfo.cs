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

/// <summary>
/// What a model may look like. Its description comes from a file or a message of somebody else, so each reader compares it with these
/// limits before anything is made in its size.
/// </summary>
public static class ModelValidation
{
    /// <summary>Far above the data sets that there are.</summary>
    private const int MostClasses = 65_536;

    /// <summary>Whether the network, which halves an image twice, takes images of this side in pixels.</summary>
    public static bool IsImageSize(int size) => size is >= 8 and <= 64 && size % 4 == 0;

    /// <summary>What is wrong with a model's description, as sentences; null if nothing is.</summary>
    public static string? Mistake(this ModelInfo model) =>
        Mistakes(model.Spec, model.Channels, model.Size, model.Classes) is [_, ..] mistakes
        ? $"{model.Path} describes no network that there can be: {string.Join(' ', mistakes)} Name another with --model."
        : null;

    /// <summary>All mistakes at once, each a sentence; empty when there is none.</summary>
    public static IReadOnlyList<string> Mistakes(RunSpec spec, int channels, int size, int classes)
    {
        var mistakes = new SpecMistakes();
        spec.Model.Validate(mistakes);
        mistakes.Unless(channels is 1 or 3, $"It has {channels} channels in place of 1 or 3.");
        mistakes.Unless(IsImageSize(size), $"Its images are {size} pixels wide in place of a multiple of 4 from 8 to 64.");
        bool conditional = spec.Model.ClassConditional;
        mistakes.Unless(
            classes is >= 0 and <= MostClasses && classes > 0 == conditional,
            $"It has {classes} classes and {(conditional ? "is" : "is not")} conditioned on classes.");
        return mistakes.Sentences;
    }

    /// <exception cref="UserErrorException">There can be no such model.</exception>
    public static void Check(this ModelInfo model)
    {
        if (model.Mistake() is { } mistake)
            throw new UserErrorException(mistake);
    }
}
