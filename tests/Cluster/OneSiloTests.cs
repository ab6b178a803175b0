using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Tests;

/// <summary>A silo that is alone is told to stop, and others come.</summary>
[Collection(nameof(OneSilo))]
public sealed class OneSiloTests(TestCluster cluster, UndisturbedRun undisturbed) : ClusterTests(cluster)
{
    /// <summary>The host ends a silo that has not stopped after a minute.</summary>
    private static readonly TimeSpan BeforeItsTimeout = TimeSpan.FromSeconds(50);

    [Fact]
    public async Task The_last_silo_saves_before_it_stops()
    {
        await Cluster.HealAsync("worker-0");
        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Endless);
        long step = (await run.StepAsync(8)).Step;
        Cluster.Fleet.Signal("worker-0", "TERM");
        await Cluster.Fleet.Silo("worker-0").Exited.WithinAsync(Deadline.Generous, "the end of the silo");
        await Cluster.Fleet.StartAsync("worker-1");
        GenerationOpened next = await run.NextAsync<GenerationOpened>(opened => opened.Workers.Contains("worker-1"), "a generation of the new silo");
        Assert.True(next.Step >= step, $"the run went back to step {next.Step}; step {step} was committed");
        await run.StopAsync();
        await undisturbed.AssertSameEndAsync(run);
    }

    [Fact]
    public async Task A_run_that_cannot_begin_keeps_no_silo_from_stopping()
    {
        await Cluster.HealAsync("worker-0");
        FollowedRun run = await Cluster.Fleet.SubmitAsync("nowhere", UndisturbedRun.Spec with { DataDir = "/nowhere" });
        Assert.True((await run.EndAsync()).UserError);
        Cluster.Fleet.Signal("worker-0", "TERM");
        await Cluster.Fleet.Silo("worker-0").Exited.WithinAsync(BeforeItsTimeout, "the end of the silo");
    }

    [Fact]
    public async Task A_silo_that_starts_while_a_run_trains_joins_it()
    {
        await Cluster.HealAsync("worker-0");
        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Endless);
        await run.StepAsync(5);
        await Cluster.Fleet.StartAsync("worker-1", "worker-2");
        await run.NextAsync<GenerationOpened>(opened => opened.Workers.Count == 3, "a generation of three");
        await run.NextAsync<StepCommitted>(step => step.Workers == 3, "a step of three");
        await run.StopAsync();
        await undisturbed.AssertSameEndAsync(run);
        Cluster.AssertNoFault(run);
    }
}
