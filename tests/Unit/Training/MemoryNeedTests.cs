using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Unit.Tests.Training;

/// <summary>What is foretold is near what silos have used: docs/benchmarks.md, "Memory", says how that was measured.</summary>
public sealed class MemoryNeedTests
{
    private const int Folder = 272, Digits = 11_000;

    /// <summary>Network, images, batch of a shard, shards, threads, images that set the scales, and the greatest memory in MiB.</summary>
    public static TheoryData<NetworkShape, int, int[], long> Measured { get; } = new()
    {
        { Shape(3, 32, blocks: 1, filters: 16), Folder, [4, 2, 2, 16], 493 },
        { Shape(3, 32, blocks: 1, filters: 32), Folder, [4, 2, 2, 16], 625 },
        { Shape(3, 32, blocks: 1, filters: 64), Folder, [4, 2, 2, 16], 994 },
        { Shape(3, 32, blocks: 1, filters: 128), Folder, [4, 2, 2, 16], 1973 },
        { Shape(3, 32, blocks: 2, filters: 32), Folder, [4, 2, 2, 16], 784 },
        { Shape(3, 32, blocks: 4, filters: 32), Folder, [4, 2, 2, 16], 1136 },
        { Shape(3, 32, blocks: 3, filters: 64), Folder, [8, 2, 2, 16], 2841 },
        { Shape(3, 32, blocks: 5, filters: 160), Folder, [1, 2, 1, 16], 3830 },
        { Shape(3, 16, blocks: 1, filters: 32), Folder, [4, 2, 2, 16], 430 },
        { Shape(3, 64, blocks: 1, filters: 32), Folder, [4, 2, 2, 16], 1412 },
        { Shape(3, 32, blocks: 1, filters: 32), Folder, [1, 2, 2, 16], 513 },
        { Shape(3, 32, blocks: 1, filters: 32), Folder, [16, 2, 2, 16], 1454 },
        { Shape(3, 32, blocks: 1, filters: 32), Folder, [4, 2, 2, 256], 2101 },
        { Shape(3, 32, blocks: 1, filters: 32), Folder, [4, 32, 2, 16], 712 },
        { Shape(3, 32, blocks: 1, filters: 32), Folder, [8, 2, 1, 16], 645 },
        { Shape(1, 28, blocks: 1, filters: 32), Digits, [4, 4, 2, 64], 870 },
        { Shape(1, 28, blocks: 1, filters: 32), Digits, [4, 4, 2, 1024], 5686 },
        { Shape(1, 28, blocks: 1, filters: 32), Digits, [32, 4, 2, 64], 2132 },
        { Shape(1, 28, blocks: 2, filters: 64), Digits, [8, 8, 2, 64], 2143 },
        { Shape(1, 28, blocks: 2, filters: 64), Digits, [8, 32, 2, 64], 2161 },
    };

    [Theory]
    [MemberData(nameof(Measured))]
    public void The_need_is_foretold_within_a_quarter(NetworkShape shape, int images, int[] run, long measured)
    {
        RunSpec spec = new()
        {
            Model = new() { Blocks = shape.Blocks, Filters = shape.Filters, Mixtures = shape.Mixtures },
            Optimiser = new() { BatchSize = run[0], Shards = run[1], InitBatchSize = run[3] },
        };
        Assert.InRange((MemoryNeed.Bytes(spec, shape, images, threads: run[2]) >> 20) / (double)measured, 0.75, 1.25);
    }

    [Fact]
    public void A_run_that_needs_more_than_there_is_is_refused_with_the_flags_that_lower_it()
    {
        RunSpec cifar = Presets.Cifar;
        string? told = MemoryNeed.Mistake(cifar, TinyRun.Images(channels: 3, size: 32), threads: 2, limit: 4L << 30);

        Assert.Contains("this worker may use 4.3 GB", told, StringComparison.Ordinal);
        Assert.All(
            ["--batch-size (16)", "--nr-filters (160)", "--init-batch-size (16)", "--ignore-memory"],
            flag => Assert.Contains(flag, told, StringComparison.Ordinal));
        Assert.Null(MemoryNeed.Mistake(Presets.Quick, TinyRun.Images(channels: 1, size: 28), threads: 2, limit: 1L << 30));
    }

    private static NetworkShape Shape(int channels, int size, int blocks, int filters) => NetworkShape.From(
        new() { Model = new() { Blocks = blocks, Filters = filters } }, channels, size, classes: 0);
}
