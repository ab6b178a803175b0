namespace PixelCnnCluster.Contracts;

/// <summary>Checkpoints and sample pictures of a run.</summary>
public sealed record OutputSpec
{
    /// <summary>Folder for checkpoints and sample pictures of this run.</summary>
    public string SaveDir { get; init; } = "";

    /// <summary>Checkpoint file that the run continues; null to start afresh.</summary>
    public string? LoadParams { get; init; }

    /// <summary>Epochs between checkpoints and sample pictures.</summary>
    public int SaveInterval { get; init; } = 20;

    /// <summary>Steps between checkpoints besides; null for none.</summary>
    public long? SaveSteps { get; init; }

    /// <summary>Minutes of training after which a checkpoint is written at the latest.</summary>
    public double SaveMinutes { get; init; } = 10;

    /// <summary>Newest checkpoints that stay on disk; the one with the best test score stays besides.</summary>
    public int KeepCheckpoints { get; init; } = 3;

    /// <summary>Images sampled for each sample picture; 0 for none.</summary>
    public int Samples { get; init; } = 16;

    internal void Validate(SpecMistakes mistakes)
    {
        mistakes.Within(SaveInterval, 1, int.MaxValue, "--save-interval");
        mistakes.Within(SaveSteps ?? 1, 1, long.MaxValue, "--save-every in steps");
        mistakes.Unless(
            SaveMinutes is > 0 and < double.PositiveInfinity, $"--save-every is {SaveMinutes} minutes; give more than 0.");
        mistakes.Within(KeepCheckpoints, 1, int.MaxValue, "--keep");
        mistakes.Within(Samples, 0, 4096, "--num-samples");
    }
}
