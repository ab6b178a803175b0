using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Tests.Simulation;

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
        SimulatedCluster after = Schedule.Run(seed: 1, workers: 2, async (cluster, _) =>
        {
            SimulatedNode fit = await LeaveOutAsync(cluster, lacksData);
            await cluster.RetireAsync(fit);
            await cluster.World.Delay(Away);
            cluster.StartNode(fit.Name);
        });

        Assert.Equal(0, after.Events.OfType<GenerationOpened>().Skip(2).Sum(opened => opened.StepsRedone));
        Assert.InRange(after.Events.OfType<GenerationOpened>().Last().Step, 20, Schedule.Steps - 1);
    }

    [Fact]
    public void A_worker_that_is_mended_serves_again() => Schedule.Run(seed: 1, workers: 2, async (cluster, _) =>
    {
        SimulatedNode fit = await LeaveOutAsync(cluster, lacksData: true);
        cluster.Nodes[0].Mistake = null;
        await cluster.RetireAsync(fit);
    });

    [Fact]
    public void A_run_that_no_worker_can_serve_fails_with_the_users_mistake()
    {
        var world = new World(1);
        RunEnded ended = world.Run(
            () =>
            {
                var cluster = new SimulatedCluster(world, Schedule.Spec, Schedule.Reference);
                for (int i = 0; i < 3; i++)
                    cluster.StartNode().Mistake = NoData;
                cluster.StartCoordinator();
                return cluster.Ended;
            },
            TimeSpan.FromSeconds(10),
            awaited: "end of the run");
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
        while (fit.Replica is not { Step: >= 20 })
            await cluster.World.Delay(TimeSpan.FromMilliseconds(10));
        return fit;
    }
}
