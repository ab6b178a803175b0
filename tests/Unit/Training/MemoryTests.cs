using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.Data;
using static TorchSharp.torch;

namespace PixelCnnCluster.Tests.Training;

/// <summary>Native memory is flat over any number of steps. Alone, because what is counted is the process's.</summary>
[Collection("alone")]
public sealed class MemoryTests
{
    [Theory]
    [InlineData(Objective.Likelihood)]
    [InlineData(Objective.EnergyDistance)]
    public void Tensors_and_memory_stay_the_same_over_many_steps(Objective objective)
    {
        const int Windows = 4, Steps = 20, Activation = 16 * 1024; // bytes of one of a full-size stage
        ImageData images = TinyRun.Images(channels: 3);
        RunSpec spec = TinyRun.Small with { Objective = objective, Filters = 8, BatchSize = 8, Shards = 1, ClassConditional = true, NonLocal = true };
        using TinyRun run = TinyRun.Start(spec, images);
        Work(run, 30);
        long tensors = Tensor.TotalCount;
        long[] resident = [Resident(), .. Enumerable.Range(0, Windows).Select(_ =>
        {
            Work(run, Steps);
            return Resident();
        })];
        Assert.Equal(tensors, Tensor.TotalCount);

        // The allocators grow now and then; what leaks grows all the time.
        long least = resident.Zip(resident.Skip(1), (before, after) => after - before).Min();
        Assert.InRange(least, long.MinValue, Activation * Steps * 3 / 4);
    }

    private static void Work(TinyRun run, int steps)
    {
        run.Steps(steps);
        run.On(() => run.Replica.Evaluate(0, 1));
    }

    private static long Resident()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        return Environment.WorkingSet;
    }
}

[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class Alone;
