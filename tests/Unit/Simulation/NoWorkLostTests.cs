using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>The state is saved before anything that takes long, and often enough.</summary>
public sealed class NoWorkLostTests
{
    /// <summary>No checkpoint but the last is due.</summary>
    private static readonly RunSpec Rare = Schedule.Spec with
    {
        Output = Schedule.Spec.Output with { SaveInterval = 1000 },
        Compute = Schedule.Spec.Compute with { Workers = 1 },
    };

    [Fact]
    public void A_run_whose_only_worker_dies_while_it_is_evaluated_for_the_last_time_is_not_trained_again()
    {
        SimulatedCluster? cluster = null;
        RunEnded ended = Run(Rare, async running =>
        {
            cluster = running;
            while (running.Store.Record.SavedStep is null)
                await running.World.Delay(TimeSpan.FromMilliseconds(1));
            SimulatedNode node = running.Nodes.Single();
            Assert.DoesNotContain(running.Events, e => e is Evaluated { Step: Schedule.Steps });
            await running.KillAsync(node);
            running.StartNode(node.Name);
            running.StartCoordinator();
        });

        Assert.Equal((RunOutcome.Completed, (long)Schedule.Steps), (ended.Outcome, ended.Step));
        Assert.Equal(Schedule.Steps, cluster!.Generations[^1].Opened.Step);
        Assert.Contains(cluster.Events, e => e is Evaluated { Step: Schedule.Steps });
    }

    [Fact]
    public void What_a_fault_takes_counts_as_lost_and_is_trained_again()
    {
        SimulatedCluster? cluster = null;
        RunEnded ended = Run(Rare with { Output = Rare.Output with { SaveSteps = 20 } }, async running =>
        {
            cluster = running;
            await running.ReachAsync(50);
            SimulatedNode node = running.Nodes.Single();
            await running.KillAsync(node);
            running.StartNode(node.Name);
            running.StartCoordinator();
        });

        Assert.Equal(RunOutcome.Completed, ended.Outcome);
        Assert.Equal(40, cluster!.Generations[^1].Opened.Step);
    }

    [Fact]
    public void A_checkpoint_is_written_after_some_minutes_whatever_the_epochs()
    {
        SimulatedCluster? cluster = null;
        Run(Rare with { Output = Rare.Output with { SaveMinutes = 1.0 / 60 } }, running =>
        {
            cluster = running;
            return Task.CompletedTask;
        });

        Assert.InRange(cluster!.Events.OfType<CheckpointSaved>().Count(), 3, Schedule.Steps);
    }

    private static RunEnded Run(RunSpec spec, Func<SimulatedCluster, Task> disturb)
    {
        var world = new World(seed: 1);
        return world.Run(
            async () =>
            {
                var cluster = new SimulatedCluster(world, spec, Schedule.Reference);
                cluster.StartNode();
                cluster.StartCoordinator();
                await disturb(cluster);
                return await cluster.Ended;
            },
            Schedule.Deadline,
            awaited: "end of the run");
    }
}
