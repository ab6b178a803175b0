using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;
using PixelCnnCluster.Training.Data;
using PixelCnnCluster.Training.Devices;

namespace PixelCnnCluster.Training;

/// <summary>
/// Tells how a device rounds: two steps of a tiny run that is always the same end in a state that depends on the processor or card, on
/// libtorch and on this program's kernels alone. Gradients are summed and shared, so a run's own state tells nobody who computed what.
/// </summary>
internal static class ArithmeticProbe
{
    private const int Steps = 2, Images = 8, Size = 8, Channels = 3;

    /// <summary>What decides which kernels a run uses, whatever the size of its network.</summary>
    public static RunSpec SpecFor(RunSpec run) => new()
    {
        Model = new()
        {
            Blocks = 1,
            Filters = 16,
            Mixtures = 3,
            Nonlinearity = run.Model.Nonlinearity,
            Objective = run.Model.Objective,
            NonLocal = run.Model.NonLocal
        },
        Optimiser = new() { BatchSize = 4, InitBatchSize = 8, Shards = 1 },
        Compute = new() { Precision = run.Compute.Precision },
    };

    /// <summary>Called on the device.</summary>
    /// <param name="spec">See <see cref="SpecFor"/>.</param>
    /// <returns>The same for all devices that round alike.</returns>
    public static string Fingerprint(RunSpec spec, DeviceThreads threads)
    {
        using var replica = new Replica(spec, new(MakeImages(), MakeImages()), threads);
        replica.Initialise();
        var alone = new GradientExchange(new(spec.Optimiser.Shards), WorkerRank.Alone, replica.GradientBuckets, WireFormat.Float32);
        for (int step = 0; step < Steps; step++)
        {
            AllReduceStep round = alone.Begin(step);
            replica.ComputeShards(alone.Share, round);
            IReadOnlyList<ReadOnlyMemory<float>> gradient = round.Whole.GetAwaiter().GetResult();
            replica.Apply(gradient, replica.Measure(gradient));
        }

        return replica.Hash();
    }

    private static ImageSet MakeImages()
    {
        var builder = new ImageSetBuilder(Channels, Size, classes: 0);
        for (int i = 0; i < Images; i++)
        {
            Span<byte> pixels = builder.Add(0);
            for (int j = 0; j < pixels.Length; j++)
                pixels[j] = (byte)((i * 83) + (j * j * 37) + (j * 11));
        }

        return builder.Build();
    }
}
