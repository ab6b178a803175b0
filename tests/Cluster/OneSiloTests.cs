using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests;

/// <summary>One or two silos end all at once, and others come.</summary>
[Collection(nameof(OneSilo))]
public sealed class OneSiloTests(TestCluster cluster, UndisturbedRun undisturbed) : ClusterTests(cluster)
{
    /// <summary>The host ends a silo that has not stopped after a minute.</summary>
    private static readonly TimeSpan BeforeItsTimeout = TimeSpan.FromSeconds(50);

    private static readonly string[] Two = ["worker-0", "worker-1"];

    [Fact]
    public async Task The_last_silo_saves_before_it_stops()
    {
        await Cluster.HealAsync("worker-0");
        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Endless);
        long step = (await run.StepAsync(8)).Step;
        int generation = run.Events.OfType<GenerationOpened>().Last().Generation;
        Cluster.Fleet.Signal("worker-0", "TERM");
        await Cluster.Fleet.Silo("worker-0").Exited.WithinAsync(Deadline.Generous, "the end of the silo");
        await Cluster.Fleet.StartAsync("worker-0");
        GenerationOpened next = await run.NextAsync<GenerationOpened>(
            opened => opened.Generation > generation, "a generation of the new silo");
        Assert.True(next.Step >= step, $"the run went back to step {next.Step}; step {step} was committed");
        await run.StopAsync();
        await undisturbed.AssertSameEndAsync(run);
    }

    [Fact]
    public async Task A_run_that_cannot_begin_keeps_no_silo_from_stopping()
    {
        await Cluster.HealAsync("worker-0");
        FollowedRun run = await Cluster.Fleet.SubmitAsync("nowhere", UndisturbedRun.Spec with
        {
            Data = UndisturbedRun.Spec.Data with { DataDir = "/nowhere" },
        });
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

    [Fact]
    public async Task All_are_killed_and_start_again()
    {
        await Cluster.HealAsync(Two);
        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Spec);
        CheckpointSaved saved = await run.NextAsync<CheckpointSaved>(_ => true, "a checkpoint");
        int generation = run.Events.OfType<GenerationOpened>().Last().Generation;
        Cluster.Fleet.Kill("worker-0");
        Cluster.Fleet.Kill("worker-1");
        await Cluster.Fleet.StartAsync(Two);
        GenerationOpened next = await run.NextAsync<GenerationOpened>(
            opened => opened.Generation > generation, "a generation of the new processes");
        Assert.True(next.Step >= saved.Step, $"the run went back to step {next.Step} although step {saved.Step} was saved");
        await undisturbed.AssertSameEndAsync(run, mayRepeat: true);
    }

    [Fact]
    public async Task All_silos_are_told_to_stop_at_once_and_nothing_is_lost()
    {
        await Cluster.HealAsync(Two);
        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Endless);
        long step = (await run.StepAsync(8)).Step;
        foreach (string name in Two)
            Cluster.Fleet.Signal(name, "TERM");
        foreach (string name in Two)
            await Cluster.Fleet.Silo(name).Exited.WithinAsync(Deadline.Generous, $"the end of {name}");
        await Cluster.Fleet.StartAsync("worker-2");
        GenerationOpened next = await run.NextAsync<GenerationOpened>(
            opened => opened.Workers.Contains("worker-2"), "a generation of the new silo");
        Assert.True(next.Step >= step, $"the run went back to step {next.Step}; step {step} was committed");
        await run.StopAsync();
        await undisturbed.AssertSameEndAsync(run);
    }
}
