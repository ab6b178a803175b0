using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests.Faults;

/// <summary>
/// Real processes are killed, stopped and told to go while a run trains; it ends in the state of a run that nobody disturbed.
/// </summary>
[Collection(nameof(FaultCluster))]
public sealed class FaultTests(TestCluster cluster, UndisturbedRun undisturbed) : ClusterTests(cluster)
{
    private static readonly string[] Three = ["worker-0", "worker-1", "worker-2"];

    [Fact]
    public async Task Workers_are_killed_again_and_again()
    {
        await Cluster.HealAsync(Three);
        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Endless);
        for (int i = 1; i <= 2; i++)
        {
            await run.StepAsync(run.NewestStep + 5);
            string victim = Three.First(name => name != Cluster.Fleet.CoordinatorOf(run));
            Cluster.Fleet.Kill(victim);
            GenerationOpened without = await run.NextAsync<GenerationOpened>(
                opened => !opened.Workers.Contains(victim), $"a generation without {victim}");
            Assert.True(Cluster.WasStarved || without.Cause == $"{victim} was lost", without.Cause);
            await Cluster.Fleet.StartAsync(victim);
            await run.NextAsync<GenerationOpened>(opened => opened.Workers.Contains(victim), $"a generation with {victim} again");
        }

        await run.StopAsync();
        await undisturbed.AssertSameEndAsync(run);
    }

    [Fact]
    public async Task The_coordinators_silo_is_killed()
    {
        await Cluster.HealAsync(Three);
        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Spec);
        await run.StepAsync(5);
        string coordinator = Cluster.Fleet.CoordinatorOf(run);
        Cluster.Fleet.Kill(coordinator);
        GenerationOpened next = await run.NextAsync<GenerationOpened>(
            opened => !opened.Workers.Contains(coordinator), "a generation of another coordinator");
        Assert.True(Cluster.WasStarved || next.Cause == "another coordinator took over", next.Cause);
        Assert.NotEqual(0, next.Step);
        await undisturbed.AssertSameEndAsync(run);
    }

    [Fact]
    public async Task Two_of_three_are_killed_at_once()
    {
        await Cluster.HealAsync(Three);
        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Spec);
        await run.StepAsync(5);
        string coordinator = Cluster.Fleet.CoordinatorOf(run);
        Cluster.Fleet.Kill(coordinator);
        Cluster.Fleet.Kill(Three.First(name => name != coordinator));
        GenerationOpened next = await run.NextAsync<GenerationOpened>(
            opened => opened.Workers.Count == 1, "a generation of the one that is left");
        Assert.NotEqual(0, next.Step);
        await undisturbed.AssertSameEndAsync(run);
    }

    [Fact]
    public async Task A_worker_that_hangs_is_replaced_and_told_when_it_comes_back()
    {
        await Cluster.HealAsync(Three);
        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Endless);
        await run.StepAsync(5);
        string victim = Three.First(name => name != Cluster.Fleet.CoordinatorOf(run));
        Cluster.Fleet.Signal(victim, "STOP");
        await run.NextAsync<GenerationOpened>(opened => !opened.Workers.Contains(victim), $"a generation without {victim}");
        await run.NextAsync<StepCommitted>(step => step.Workers < 3, "a step of the others");
        Cluster.Fleet.Signal(victim, "CONT");
        await Cluster.Fleet.Silo(victim).Exited.WithinAsync(Deadline.Generous, $"the end of {victim}, which counts as dead");
        await Cluster.Fleet.StartAsync(victim);
        await run.NextAsync<GenerationOpened>(opened => opened.Workers.Contains(victim), $"a generation with {victim} again");
        await run.StopAsync();
        await undisturbed.AssertSameEndAsync(run);
    }

    [Fact]
    public async Task A_silo_that_is_told_to_stop_hands_over_without_a_failed_step()
    {
        await Cluster.HealAsync(Three);
        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Endless);
        await run.StepAsync(5);
        string coordinator = Cluster.Fleet.CoordinatorOf(run), other = Three.First(name => name != coordinator);
        foreach (string leaver in new[] { other, coordinator })
        {
            Cluster.Fleet.Signal(leaver, "TERM");
            GenerationOpened next = await run.NextAsync<GenerationOpened>(
                opened => !opened.Workers.Contains(leaver), $"a generation without {leaver}");
            Assert.True(Cluster.WasStarved || next.Cause == $"{leaver} left", next.Cause);
            await Cluster.Fleet.Silo(leaver).Exited.WithinAsync(Deadline.Generous, $"the end of {leaver}");
        }

        await run.StopAsync();
        await undisturbed.AssertSameEndAsync(run);
        Cluster.AssertNoFault(run);
    }
}
