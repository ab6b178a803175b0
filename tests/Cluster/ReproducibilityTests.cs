using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests;

/// <summary>The parameters after step t are a function of the specification and t alone, bit for bit.</summary>
[Collection(nameof(SharedSilos))]
public sealed class ReproducibilityTests(TestCluster cluster) : ClusterTests(cluster), IAsyncLifetime
{
    private static readonly RunSpec Spec = SmallDigits.Spec with
    {
        Optimiser = SmallDigits.Spec.Optimiser with { Shards = 4 },
        Limits = SmallDigits.Spec.Limits with { MaxSteps = 8 },
    };

    public async ValueTask InitializeAsync() => await Cluster.HealAsync("worker-0", "worker-1", "worker-2", "worker-3");

    [Fact]
    public async Task AnyNumberOfWorkersGivesTheSameState()
    {
        RunEnded alone = await EndAsync(Spec with { Compute = Spec.Compute with { Workers = 1 } });
        foreach (int workers in new[] { 2, 3, 4 })
        {
            RunEnded together = await EndAsync(Spec with { Compute = Spec.Compute with { Workers = workers } });
            Assert.Equal(alone.StateHash, together.StateHash);
            Assert.Equal(alone.TestBitsPerDim, together.TestBitsPerDim);
        }
    }

    [Fact]
    public async Task AnotherSeedGivesAnotherState() =>
        Assert.NotEqual((await EndAsync(Spec)).StateHash, (await EndAsync(Spec with
        {
            Optimiser = Spec.Optimiser with { Seed = 2 },
        })).StateHash);

    [Fact]
    public async Task ResumingEqualsNeverHavingStopped()
    {
        RunEnded whole = await EndAsync(Spec with { Compute = Spec.Compute with { Workers = 2 } });
        RunEnded half = await EndAsync(Spec with
        {
            Limits = Spec.Limits with { MaxSteps = 5 },
            Compute = Spec.Compute with { Workers = 3 },
        });
        IReadOnlyList<RunEvent> resumed = await Cluster.TrainAsync(Spec with
        {
            Output = Spec.Output with { LoadParams = half.Checkpoint },
            Compute = Spec.Compute with { Workers = 1 },
        });
        Assert.Equal(5, resumed.OfType<RunStarted>().Single().FirstStep);
        Assert.Equal(6, resumed.OfType<StepCommitted>().First().Step);
        Assert.Equal(whole.StateHash, Assert.IsType<RunEnded>(resumed[^1]).StateHash);
    }

    [Fact]
    public async Task AnotherNetworksCheckpointIsTheUsersMistake()
    {
        RunEnded small = await EndAsync(Spec with { Limits = Spec.Limits with { MaxSteps = 1 } });
        RunEnded ended = Assert.IsType<RunEnded>((await Cluster.TrainAsync(Spec with
        {
            Model = Spec.Model with { Filters = 10 },
            Output = Spec.Output with { LoadParams = small.Checkpoint },
        }))[^1]);
        Assert.Equal(RunOutcome.Failed, ended.Outcome);
        Assert.True(ended.UserError);
        Assert.Contains("--load-params", ended.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task EveryKindOfNetworkTrainsOverWorkers()
    {
        RunSpec all =
            Spec with
            {
                Model = Spec.Model with { ClassConditional = true, CoordinateChannels = true, NonLocal = true },
                Limits = Spec.Limits with { MaxSteps = 2 },
                Output = Spec.Output with { Samples = 3 },
                Compute = Spec.Compute with { Workers = 2 },
            };
        foreach (Objective objective in Enum.GetValues<Objective>())
        {
            IReadOnlyList<RunEvent> events = await Cluster.TrainAsync(all with { Model = all.Model with { Objective = objective } });
            Assert.Equal(RunOutcome.Completed, Assert.IsType<RunEnded>(events[^1]).Outcome);
            Assert.All(events.OfType<StepCommitted>(), step => Assert.True(double.IsFinite(step.Loss)));
            Assert.True(File.Exists(Assert.Single(events.OfType<SamplesWritten>()).Path));
        }
    }

    private async Task<RunEnded> EndAsync(RunSpec spec)
    {
        RunEnded ended = Assert.IsType<RunEnded>((await Cluster.TrainAsync(spec))[^1]);
        Assert.True(ended.Outcome == RunOutcome.Completed, ended.Error);
        return ended;
    }
}
