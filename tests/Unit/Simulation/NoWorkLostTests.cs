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

    private static readonly RunSpec SavedEach20 = Rare with { Output = Rare.Output with { SaveSteps = 20 } };

    [Fact]
    public void A_run_whose_only_worker_dies_while_it_is_evaluated_for_the_last_time_is_not_trained_again()
    {
        (RunEnded ended, SimulatedCluster cluster) = Schedule.RunToEnd(Rare, workers: 1, async (running, _) =>
        {
            while (running.Store.Record.SavedStep is null)
                await running.World.Delay(TimeSpan.FromMilliseconds(1));
            SimulatedNode node = running.Nodes.Single();
            Assert.DoesNotContain(running.Events, e => e is Evaluated { Step: Schedule.Steps });
            await running.KillAsync(node);
            running.StartNode(node.Name);
            running.StartCoordinator();
        });

        Assert.Equal((RunOutcome.Completed, (long)Schedule.Steps), (ended.Outcome, ended.Step));
        Assert.Equal(Schedule.Steps, cluster.Generations[^1].Opened.Step);
        Assert.Contains(cluster.Events, e => e is Evaluated { Step: Schedule.Steps });
    }

    [Fact]
    public void What_a_fault_takes_counts_as_lost_and_is_trained_again()
    {
        (RunEnded ended, SimulatedCluster cluster) = Schedule.RunToEnd(SavedEach20, workers: 1, async (running, _) =>
        {
            await running.ReachAsync(50);
            SimulatedNode node = running.Nodes.Single();
            await running.KillAsync(node);
            running.StartNode(node.Name);
            running.StartCoordinator();
        });

        Assert.Equal(RunOutcome.Completed, ended.Outcome);
        Assert.Equal(40, cluster.Generations[^1].Opened.Step);
    }

    [Fact]
    public void A_checkpoint_is_written_after_some_minutes_whatever_the_epochs()
    {
        RunSpec spec = Rare with { Output = Rare.Output with { SaveMinutes = 1.0 / 60 } };

        (_, SimulatedCluster cluster) = Schedule.RunToEnd(spec, workers: 1, (_, _) => Task.CompletedTask);

        Assert.InRange(cluster.Events.OfType<CheckpointSaved>().Count(), 3, Schedule.Steps);
    }

    /// <summary>So it goes where a step needs more memory than there is.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(40)]
    public void A_run_whose_worker_is_killed_three_times_in_one_step_is_given_up(int step)
    {
        (RunEnded ended, SimulatedCluster cluster) = Schedule.RunToEnd(SavedEach20, workers: 1, async (running, _) =>
        {
            while ((running.Store.Record.SavedStep ?? 0) < step || running.Generations.Count == 0)
                await running.World.Delay(TimeSpan.FromMilliseconds(1));
            for (int i = 0; i < 3; i++)
                await LoseAsync(running);
        });

        Assert.Equal((RunOutcome.Failed, step, false), (ended.Outcome, (int)ended.Step, ended.UserError));
        Assert.Contains("worker-0 was lost 3 times without a step in between", ended.Error, StringComparison.Ordinal);
        Assert.Contains("--batch-size", ended.Error, StringComparison.Ordinal);
        Assert.Equal(step == 0 ? null : step, cluster.Store.Record.SavedStep);
    }

    /// <summary>Its silos may have more memory by then.</summary>
    [Fact]
    public void A_run_that_was_given_up_trains_again_when_it_is_resumed()
    {
        var world = new World(seed: 1);
        RunEnded ended = world.Run(
            () =>
            {
                var cluster = new SimulatedCluster(world, SavedEach20, Schedule.Reference);
                cluster.Store.Write(cluster.Store.Record with { Lost = ["worker-0", "worker-0", "worker-0"] });
                cluster.StartNode();
                cluster.StartCoordinator();
                return cluster.Ended;
            },
            Schedule.Deadline,
            awaited: "end of the run");

        Assert.Equal(RunOutcome.Completed, ended.Outcome);
    }

    [Fact]
    public void A_step_in_between_makes_up_for_losses()
    {
        RunSpec endless = Rare with { Limits = Rare.Limits with { MaxSteps = 1000 } };
        (RunEnded ended, _) = Schedule.RunToEnd(endless, workers: 1, async (running, _) =>
        {
            for (int i = 0; i < 3; i++)
            {
                await LoseAsync(running);
                await LoseAsync(running);
                int lost = running.Store.Record.Lost.Length;
                while (running.Store.Record.Lost.Length == lost && !running.Ended.IsCompleted)
                    await running.World.Delay(TimeSpan.FromMilliseconds(1));
            }
        });

        Assert.Equal(RunOutcome.Completed, ended.Outcome);
    }

    /// <summary>Kills the only worker, and starts it again until it has joined.</summary>
    private static async Task LoseAsync(SimulatedCluster running)
    {
        int opened = running.Generations.Count;
        SimulatedNode node = running.Living.Single();
        await running.KillAsync(node);
        running.StartNode(node.Name);
        running.StartCoordinator();
        while (running.Generations.Count == opened && !running.Ended.IsCompleted)
            await running.World.Delay(TimeSpan.FromMilliseconds(1));
    }
}
