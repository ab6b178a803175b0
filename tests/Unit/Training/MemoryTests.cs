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
        ImageData images = TinyRun.Images(channels: 3, size: 12);
        RunSpec spec = TinyRun.Small with { Objective = objective, Filters = 8, BatchSize = 8, Shards = 1, ClassConditional = true, NonLocal = true };
        using TinyRun run = TinyRun.Start(spec, images);
        Work(run, 40);
        long tensors = Tensor.TotalCount, bytes = Resident();
        const int Steps = 150;
        Work(run, Steps);
        Assert.Equal(tensors, Tensor.TotalCount);

        // One activation of a full-size stage takes 36 KB; one left over at each step would make 5 MB.
        Assert.InRange(Resident() - bytes, long.MinValue, 36 * 1024 * Steps * 3 / 4);
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
        GC.Collect();
        return Environment.WorkingSet;
    }
}

[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class Alone;
