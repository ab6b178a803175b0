using System.Runtime;
using System.Runtime.InteropServices;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.Data;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Training.Devices;

/// <summary>Native memory is flat over any number of steps. Alone, because what is counted is the process's.</summary>
[Collection("alone")]
public sealed partial class MemoryTests
{
    [Theory]
    [InlineData(Objective.Likelihood)]
    [InlineData(Objective.EnergyDistance)]
    public void Tensors_and_memory_stay_the_same_over_many_steps(Objective objective)
    {
        const int Windows = 5, Steps = 10, FewMethods = 25, Activation = 16 * 1024; // bytes of one of a full-size stage
        ImageData images = TinyRun.Images(channels: 3);
        RunSpec spec =
            TinyRun.Small with
            {
                Model = TinyRun.Small.Model with { Objective = objective, Filters = 8, ClassConditional = true, NonLocal = true },
                Optimiser = TinyRun.Small.Optimiser with { BatchSize = 4, Shards = 1 },
            };
        using var run = TinyRun.Start(spec, images);
        Work(run, 15);
        Collect();
        long tensors = Tensor.TotalCount, resident = Environment.WorkingSet;
        List<long> growth = [];
        for (int window = 0; growth.Count < Windows; window++)
        {
            Assert.True(window < 40, $"after {window} windows of {Steps} steps only {growth.Count} passed without much being compiled");
            (long methods, long native) = (JitInfo.GetCompiledMethodCount(), Native());
            Work(run, Steps);
            Collect();
            if (JitInfo.GetCompiledMethodCount() - methods < FewMethods)
            {
                growth.Add(Native() - native); // the compiler takes from the same heap: a kilobyte or two for each method
            }
        }
        Assert.Equal(tensors, Tensor.TotalCount);

        // Caches fill and empty now and then; what leaks grows all the time, so the middle window shows it.
        growth.Sort();
        Assert.True(growth[Windows / 2] < Activation * Steps / 2, string.Join(", ", growth));
        Assert.InRange(Environment.WorkingSet - resident, long.MinValue, 64 << 20);
    }

    private static void Work(TinyRun run, int steps)
    {
        run.Steps(steps);
        run.On(() => run.Replica.Evaluate(0, 1));
    }

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }

    /// <summary>Bytes that the C library has handed out: the tensor library's, among others.</summary>
    private static long Native()
    {
        HeapUse use = ReadHeapUse();
        return (long)(use.InUse + use.Mapped);
    }

    [LibraryImport("libc", EntryPoint = "mallinfo2")]
    private static partial HeapUse ReadHeapUse();

    /// <summary>The C library's struct mallinfo2.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct HeapUse
    {
        public readonly nuint Arena, FreeChunks, FastChunks, MappedChunks, Mapped, Highest, FastFree, InUse, Free, Releasable;
    }
}

[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class Alone;
