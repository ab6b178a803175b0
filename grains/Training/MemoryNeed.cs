using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Training.Data;

namespace PixelCnnCluster.Training;

/// <summary>
/// Memory that a worker on the CPU needs for a run, told before the network is allocated. The factors are fitted to the greatest memory of
/// silos that trained (docs/benchmarks.md, "Memory").
/// </summary>
public static class MemoryNeed
{
    /// <summary>Of a silo with nothing to do, libtorch included.</summary>
    private const double SiloBytes = 350e6;

    /// <summary>Vectors of the parameters' length: values, moments, average, the step's sums; and besides for each thread.</summary>
    private const double Vectors = 4.6, VectorsOfThread = 4.8;

    /// <summary>float32 numbers that a pass keeps for each filter and position of a gated block.</summary>
    private const double PerFilterInTraining = 29.7, PerFilterAtStart = 6.8;

    /// <summary>float32 numbers of a position that do not depend on the filters, above all the mixture's.</summary>
    private const double PerPosition = 1650;

    /// <param name="shape">Of the run's network.</param>
    /// <param name="images">Training and test images, which are in memory as bytes.</param>
    /// <param name="threads">Each computes one shard at a time.</param>
    /// <returns>Bytes.</returns>
    internal static long Bytes(RunSpec spec, NetworkShape shape, int images, int threads)
    {
        // With fewer workers than it wants, a run needs more: what a fault leaves is not known before.
        int shards = (spec.Optimiser.Shards + spec.Compute.Workers - 1) / spec.Compute.Workers, active = Math.Min(threads, shards);
        var network = new PixelCnn(shape);
        double parameters = network.Layout.Length, positions = (double)shape.Size * shape.Size;
        double filters = (double)shape.Filters * network.BlockPositions;
        double training = active * spec.Optimiser.BatchSize * ((PerFilterInTraining * filters) + (PerPosition * positions));
        double start = spec.Optimiser.InitBatchSize * PerFilterAtStart * filters;
        double pixels = images * shape.Channels * positions;
        return (long)(SiloBytes + pixels
            + (sizeof(float) * ((parameters * (Vectors + (VectorsOfThread * active))) + Math.Max(training, start))));
    }

    /// <summary>A sentence for a worker that has less memory than the run needs; null if it has enough.</summary>
    /// <param name="limit">Bytes that the worker may use.</param>
    public static string? Mistake(RunSpec spec, ImageData data, int threads, long limit)
    {
        var shape = NetworkShape.From(spec, data.Train.Channels, data.Train.Size, data.Train.Classes);
        long need = Bytes(spec, shape, data.Train.Count + data.Test.Count, threads);
        return need <= limit ? null
            : $"The run needs about {Gigabytes(need)} GB of memory, and this worker may use {Gigabytes(limit)} GB. Lower --batch-size " +
                $"({spec.Optimiser.BatchSize}), --nr-filters ({spec.Model.Filters}), --init-batch-size ({spec.Optimiser.InitBatchSize}) " +
                $"or the silo's threads ({threads}), or give --ignore-memory to try it.";
    }

    private static string Gigabytes(long bytes) => FormattableString.Invariant($"{bytes / 1e9:F1}");
}
