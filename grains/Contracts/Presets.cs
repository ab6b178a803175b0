namespace PixelCnnCluster.Contracts;

/// <summary>Starting points for a run; every flag of the console still applies on top.</summary>
public static class Presets
{
    /// <summary>Digits in a few minutes on two cores: what <c>train</c> does when nothing is asked for.</summary>
    public static RunSpec Quick { get; } = new()
    {
        Data = new() { DataSet = DataSet.Digits },
        Model = new() { Blocks = 1, Filters = 16, Mixtures = 5, Dropout = 0 },
        Optimiser = new() { PolyakDecay = 0.99, BatchSize = 4, InitBatchSize = 64, Shards = 4 },
        Schedule = new() { LearningRate = 0.005, Schedule = LearningRateSchedule.Cosine },
        Limits = new() { MaxEpochs = 2, MaxMinutes = 3 },
        Output = new() { SaveInterval = 1, Samples = 64 },
    };

    /// <summary>The CIFAR-10 model of arXiv 1701.05517: 2.92 bits/dim after about five days on eight GPUs.</summary>
    public static RunSpec Cifar { get; } = new();

    /// <summary>By the name that <c>--preset</c> takes.</summary>
    public static IReadOnlyDictionary<string, RunSpec> All { get; } = new Dictionary<string, RunSpec>
    {
        ["quick"] = Quick,
        ["cifar"] = Cifar,
    };
}
