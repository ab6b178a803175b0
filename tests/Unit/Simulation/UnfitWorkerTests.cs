using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>A worker whose work fails, or that lacks the data, costs the run no state.</summary>
public sealed class UnfitWorkerTests
{
    private static readonly TimeSpan Away = TimeSpan.FromSeconds(5);

    private static readonly UserErrorException NoData = new("--data-dir /data is not there");

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_run_waits_for_its_fit_worker_that_is_killed(bool lacksData) => Schedule.Run(seed: 1, workers: 2, async (cluster, _) =>
    {
        SimulatedNode fit = await LeaveOutAsync(cluster, lacksData);
        await cluster.KillAsync(fit);
        await cluster.World.Delay(Away);
        cluster.StartNode(fit.Name);
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_state_is_saved_before_the_last_fit_worker_leaves(bool lacksData)
    {
        long left = 0;

        SimulatedCluster after = Schedule.Run(seed: 1, workers: 2, async (cluster, _) =>
        {
            SimulatedNode fit = await LeaveOutAsync(cluster, lacksData);
            await cluster.DrainAsync(fit);
            left = fit.Replica!.Step;
            await cluster.World.Delay(Away);
            cluster.StartNode(fit.Name);
        });

        Assert.InRange(left, 21, Schedule.Steps - 1);
        Assert.Equal(left, after.Generations[^1].Opened.Step);
    }

    /// <summary>As when the next one has a large data set to read, for longer than the silo that goes is kept.</summary>
    [Fact]
    public void The_state_is_saved_before_the_only_worker_that_has_it_hands_over()
    {
        long left = 0;

        SimulatedCluster after = Schedule.Run(seed: 1, workers: 1, async (cluster, _) =>
        {
            SimulatedNode only = cluster.Nodes[0];
            while (only.Replica is not { Step: >= 23 })
                await cluster.World.Delay(TimeSpan.FromMilliseconds(10));
            SimulatedNode next = cluster.StartNode();
            next.ReadingTime = TimeSpan.FromMinutes(3);
            only.IsDraining = true;
            cluster.Tell();
            await cluster.World.Delay(TimeSpan.FromSeconds(1));
            left = only.Replica!.Step;
            await cluster.KillAsync(only);
        });

        Assert.Equal(left, after.Generations[^1].Opened.Step);
    }

    [Fact]
    public void A_run_whose_only_worker_fails_saves_its_state_before_it_ends()
    {
        RunSpec rare = Schedule.Spec with { Output = Schedule.Spec.Output with { SaveInterval = 1000 } };

        (RunEnded ended, SimulatedCluster after) = Schedule.RunToEnd(rare, workers: 1, async (cluster, _) =>
        {
            SimulatedNode only = cluster.Nodes[0];
            while (only.Replica is not { Step: >= 23 })
                await cluster.World.Delay(TimeSpan.FromMilliseconds(10));
            only.Fault = new InvalidOperationException("out of memory");
        });

        Assert.Equal(RunOutcome.Failed, ended.Outcome);
        Assert.Contains("out of memory", ended.Error, StringComparison.Ordinal);
        Assert.Equal(ended.Step, after.Disk.Newest);
    }

    [Fact]
    public void A_worker_that_is_mended_serves_again() => Schedule.Run(seed: 1, workers: 2, async (cluster, _) =>
    {
        SimulatedNode fit = await LeaveOutAsync(cluster, lacksData: true);
        cluster.Nodes[0].Mistake = null;
        await cluster.DrainAsync(fit);
    });

    /// <summary>A run that has trained waits for its data as it waits for workers.</summary>
    [Fact]
    public void A_run_whose_data_is_away_for_a_while_goes_on() => Schedule.Run(seed: 1, workers: 1, async (cluster, _) =>
    {
        SimulatedNode only = cluster.Nodes[0];
        while (only.Replica is not { Step: >= 23 })
            await cluster.World.Delay(TimeSpan.FromMilliseconds(10));
        await cluster.KillAsync(only);
        SimulatedNode again = cluster.StartNode(only.Name);
        again.Mistake = NoData;
        cluster.StartCoordinator();
        await cluster.World.Delay(TimeSpan.FromSeconds(20));
        Assert.Contains(cluster.Events, e => e is FaultNoticed fault && fault.Message == NoData.Message);
        again.Mistake = null;
    });

    [Fact]
    public void A_worker_with_other_images_is_left_out_by_name() => Schedule.Run(seed: 1, workers: 2, async (cluster, _) =>
    {
        await cluster.ReachAsync(10);
        SimulatedNode other = cluster.StartNode();
        other.Data = "other images";
        while (!cluster.Events.OfType<FaultNoticed>().Any(fault => fault.Worker == other.Name))
            await cluster.World.Delay(TimeSpan.FromMilliseconds(10));
        string message = cluster.Events.OfType<FaultNoticed>().First(fault => fault.Worker == other.Name).Message;
        Assert.Contains($"{other.Name} has other images", message, StringComparison.Ordinal);
        Assert.Contains("--accept-data-change", message, StringComparison.Ordinal);
    });

    [Fact]
    public void A_run_that_no_worker_can_serve_fails_with_the_users_mistake()
    {
        (RunEnded ended, SimulatedCluster after) = Schedule.RunToEnd(Schedule.Spec, workers: 3, (cluster, _) =>
        {
            foreach (SimulatedNode node in cluster.Nodes)
                node.Mistake = NoData;
            return Task.CompletedTask;
        });

        Assert.InRange(after.World.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(10));
        Assert.Equal((RunOutcome.Failed, true, NoData.Message), (ended.Outcome, ended.UserError, ended.Error));
    }

    /// <summary>Has the first node fail, and waits until the other has trained alone for a while.</summary>
    /// <returns>The other.</returns>
    private static async Task<SimulatedNode> LeaveOutAsync(SimulatedCluster cluster, bool lacksData)
    {
        (SimulatedNode unfit, SimulatedNode fit) = (cluster.Nodes[0], cluster.Nodes[1]);
        if (lacksData)
            unfit.Mistake = NoData;
        else
            unfit.Fault = new InvalidOperationException("out of memory");
        while (fit.Replica is not { Step: >= 23 })
            await cluster.World.Delay(TimeSpan.FromMilliseconds(10));
        return fit;
    }
}
