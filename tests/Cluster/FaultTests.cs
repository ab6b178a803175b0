using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Tests;

/// <summary>Real processes are killed, stopped and told to go while a run trains; it ends in the state of a run that nobody disturbed.</summary>
public sealed class FaultTests(UndisturbedRun undisturbed)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly string[] Three = ["worker-0", "worker-1", "worker-2"];

    [Fact]
    public async Task Workers_are_killed_again_and_again()
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync(Three);
        FollowedRun run = await cluster.SubmitAsync("run", UndisturbedRun.Spec);
        long step = 5;
        for (int i = 0; i < 3; i++)
        {
            step = (await run.StepAsync(step)).Step + 20;
            string victim = Three.First(name => name != cluster.CoordinatorOf(run));
            cluster.Fleet.Silo(victim).Kill();
            GenerationOpened without = await run.NextAsync<GenerationOpened>(opened => !opened.Workers.Contains(victim), $"a generation without {victim}");
            Assert.Equal($"{victim} was lost", without.Cause);
            await cluster.Fleet.StartAsync(victim);
            await run.NextAsync<GenerationOpened>(opened => opened.Workers.Contains(victim), $"a generation with {victim} again");
        }

        await undisturbed.AssertSameEndAsync(run);
    }

    [Fact]
    public async Task The_coordinators_silo_is_killed()
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync(Three);
        FollowedRun run = await cluster.SubmitAsync("run", UndisturbedRun.Spec);
        await run.StepAsync(10);
        string coordinator = cluster.CoordinatorOf(run);
        cluster.Fleet.Silo(coordinator).Kill();
        GenerationOpened next = await run.NextAsync<GenerationOpened>(opened => !opened.Workers.Contains(coordinator), "a generation of another coordinator");
        Assert.Equal("another coordinator took over", next.Cause);
        Assert.NotEqual(0, next.Step);
        await undisturbed.AssertSameEndAsync(run);
    }

    [Fact]
    public async Task Two_of_three_are_killed_at_once()
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync(Three);
        FollowedRun run = await cluster.SubmitAsync("run", UndisturbedRun.Spec);
        await run.StepAsync(10);
        string coordinator = cluster.CoordinatorOf(run);
        cluster.Fleet.Silo(coordinator).Kill();
        cluster.Fleet.Silo(Three.First(name => name != coordinator)).Kill();
        GenerationOpened next = await run.NextAsync<GenerationOpened>(opened => opened.Workers.Count == 1, "a generation of the one that is left");
        Assert.NotEqual(0, next.Step);
        await undisturbed.AssertSameEndAsync(run);
    }

    [Fact]
    public async Task All_are_killed_and_start_again()
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync("worker-0", "worker-1");
        FollowedRun run = await cluster.SubmitAsync("run", UndisturbedRun.Spec);
        CheckpointSaved saved = await run.NextAsync<CheckpointSaved>(_ => true, "a checkpoint");
        cluster.Fleet.Silo("worker-0").Kill();
        cluster.Fleet.Silo("worker-1").Kill();
        await cluster.Fleet.StartAsync("worker-0", "worker-1");
        GenerationOpened next = await run.NextAsync<GenerationOpened>(opened => opened.Generation > 1, "a generation of the new processes");
        Assert.True(next.Step >= saved.Step, $"the run went back to step {next.Step} although step {saved.Step} was saved");
        await undisturbed.AssertSameEndAsync(run, mayRepeat: true);
    }

    [Fact]
    public async Task A_worker_that_hangs_is_replaced_and_told_when_it_comes_back()
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync(Three);
        FollowedRun run = await cluster.SubmitAsync("run", UndisturbedRun.Spec with { MaxSteps = 250 });
        await run.StepAsync(10);
        string victim = Three.First(name => name != cluster.CoordinatorOf(run));
        cluster.Fleet.Signal(victim, "STOP");
        await run.NextAsync<GenerationOpened>(opened => !opened.Workers.Contains(victim), $"a generation without {victim}");
        await run.NextAsync<StepCommitted>(step => step.Workers == 2, "a step of the other two");
        cluster.Fleet.Signal(victim, "CONT");
        await cluster.Fleet.Silo(victim).Exited.WithinAsync(Patience, $"the end of {victim}, which counts as dead");
        await cluster.Fleet.StartAsync(victim);
        await run.NextAsync<GenerationOpened>(opened => opened.Workers.Contains(victim), $"a generation with {victim} again");
        await undisturbed.AssertSameEndAsync(run);
    }

    [Fact]
    public async Task A_silo_that_is_told_to_stop_hands_over_without_a_failed_step()
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync(Three);
        FollowedRun run = await cluster.SubmitAsync("run", UndisturbedRun.Spec);
        await run.StepAsync(10);
        string coordinator = cluster.CoordinatorOf(run), other = Three.First(name => name != coordinator);
        foreach (string leaver in new[] { other, coordinator })
        {
            cluster.Fleet.Signal(leaver, "TERM");
            GenerationOpened next = await run.NextAsync<GenerationOpened>(opened => !opened.Workers.Contains(leaver), $"a generation without {leaver}");
            Assert.Equal((0, $"{leaver} left"), (next.StepsRedone, next.Cause));
            await cluster.Fleet.Silo(leaver).Exited.WithinAsync(Patience, $"the end of {leaver}");
        }

        await undisturbed.AssertSameEndAsync(run);
        Assert.Empty(run.Events.OfType<FaultNoticed>());
        Assert.Equal(0, run.Events.OfType<GenerationOpened>().Sum(opened => opened.StepsRedone));
    }

    [Fact]
    public async Task The_last_silo_saves_before_it_stops()
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync("worker-0");
        FollowedRun run = await cluster.SubmitAsync("run", UndisturbedRun.Spec);
        long step = (await run.StepAsync(15)).Step;
        cluster.Fleet.Signal("worker-0", "TERM");
        await cluster.Fleet.Silo("worker-0").Exited.WithinAsync(Patience, "the end of the silo");
        await cluster.Fleet.StartAsync("worker-1");
        GenerationOpened next = await run.NextAsync<GenerationOpened>(opened => opened.Generation > 1, "a generation of the new silo");
        Assert.True(next.Step >= step, $"the run went back to step {next.Step}; step {step} was committed");
        await undisturbed.AssertSameEndAsync(run);
    }

    [Fact]
    public async Task All_silos_are_told_to_stop_at_once_and_nothing_is_lost()
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync(Three);
        FollowedRun run = await cluster.SubmitAsync("run", UndisturbedRun.Spec);
        long step = (await run.StepAsync(15)).Step;
        foreach (string name in Three)
            cluster.Fleet.Signal(name, "TERM");
        foreach (string name in Three)
            await cluster.Fleet.Silo(name).Exited.WithinAsync(Patience, $"the end of {name}");
        await cluster.Fleet.StartAsync("worker-3");
        GenerationOpened next = await run.NextAsync<GenerationOpened>(opened => opened.Workers.Contains("worker-3"), "a generation of the new silo");
        Assert.True(next.Step >= step, $"the run went back to step {next.Step}; step {step} was committed");
        await undisturbed.AssertSameEndAsync(run);
    }

    [Fact]
    public async Task A_run_that_cannot_begin_keeps_no_silo_from_stopping()
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync("worker-0");
        FollowedRun run = await cluster.Fleet.SubmitAsync("run", UndisturbedRun.Spec with { DataDir = "/nowhere" });
        Assert.True((await run.EndAsync()).UserError);
        cluster.Fleet.Signal("worker-0", "TERM");
        await cluster.Fleet.Silo("worker-0").Exited.WithinAsync(TimeSpan.FromSeconds(12), "the end of the silo");
    }

    [Fact]
    public async Task A_silo_that_starts_while_a_run_trains_joins_it()
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync("worker-0");
        FollowedRun run = await cluster.SubmitAsync("run", UndisturbedRun.Spec);
        await run.StepAsync(5);
        await cluster.Fleet.StartAsync("worker-1", "worker-2");
        await run.NextAsync<GenerationOpened>(opened => opened.Workers.Count == 3, "a generation of three");
        await run.NextAsync<StepCommitted>(step => step.Workers == 3, "a step of three");
        await undisturbed.AssertSameEndAsync(run);
        Assert.Empty(run.Events.OfType<FaultNoticed>());
    }
}
