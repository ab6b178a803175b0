using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>The troubles that the random schedules mix, one at a time. Each run ends in the state of an undisturbed one.</summary>
public sealed class ScenarioTests
{
    /// <summary>As a replica of the store that is promoted without the newest writes.</summary>
    [Fact]
    public void The_store_goes_back_by_writes_that_it_had_acknowledged_and_a_worker_dies()
    {
        SimulatedCluster after = Schedule.Run(seed: 1, workers: 3, async (cluster, _) =>
        {
            await cluster.ReachAsync(20);
            int trained = cluster.Generations[^1].Opened.Generation;
            cluster.Store.GoBack(3);
            await cluster.KillAsync(cluster.Nodes[2]);
            await cluster.ReachAsync(40);
            Assert.InRange(cluster.Generations[^1].Opened.Generation, trained + 1, int.MaxValue);
        });

        Assert.Equal(2, after.Generations[^1].Opened.Workers.Count);
    }

    [Fact]
    public void The_store_comes_back_empty_and_silos_fill_it_with_what_they_saw()
    {
        SimulatedCluster after = Schedule.Run(seed: 2, workers: 2, async (cluster, _) =>
        {
            await cluster.ReachAsync(20);
            cluster.Store.IsEmpty = true;
            await cluster.World.Delay(TimeSpan.FromSeconds(2));
            cluster.Store.GoBack(2);
            cluster.Store.IsEmpty = false;
            cluster.StartCoordinator();
        });

        Assert.Equal(GenerationCause.TakenOver, after.Generations[^1].Opened.Kind);
    }

    [Fact]
    public void The_store_is_out_of_reach_for_longer_than_a_lease_and_no_step_is_committed_meanwhile()
    {
        SimulatedCluster after = Schedule.Run(seed: 3, workers: 2, async (cluster, _) =>
        {
            await cluster.ReachAsync(20);
            cluster.Store.IsOut = true;
            await cluster.World.Delay(TimeSpan.FromSeconds(8));
            int committed = cluster.Events.OfType<StepCommitted>().Count();
            await cluster.World.Delay(TimeSpan.FromSeconds(60));
            Assert.Equal(committed, cluster.Events.OfType<StepCommitted>().Count());
            cluster.Store.IsOut = false;
        });

        Assert.Single(after.Generations);
    }

    [Fact]
    public void Three_coordinators_believe_to_be_the_only_one()
    {
        SimulatedCluster after = Schedule.Run(seed: 4, workers: 3, async (cluster, _) =>
        {
            await cluster.ReachAsync(20);
            cluster.StartCoordinator();
            cluster.StartCoordinator();
        });

        Assert.Equal(Schedule.Steps, after.Events.OfType<StepCommitted>().Select(step => step.Step).Distinct().Count());
    }

    [Fact]
    public void The_coordinators_node_is_cut_off_with_one_worker_and_the_others_train()
    {
        SimulatedNode? cut = null;

        SimulatedCluster after = Schedule.Run(seed: 5, workers: 3, async (cluster, _) =>
        {
            await cluster.ReachAsync(20);
            cut = cluster.Nodes.Single(cluster.HasCoordinator);
            await cluster.IsolateAsync([cut], TimeSpan.FromSeconds(12));
        });

        Assert.DoesNotContain(cut!.Name, after.Generations[^1].Opened.Workers);
        Assert.InRange(cut.Replica!.Step, 20, 60);
    }

    [Fact]
    public void A_rolling_update_redoes_no_step()
    {
        SimulatedCluster after = Schedule.Run(seed: 6, workers: 3, async (cluster, _) =>
        {
            await cluster.ReachAsync(5);
            foreach (SimulatedNode node in cluster.Nodes.ToList())
            {
                await cluster.DrainAsync(node);
                cluster.StartNode(node.Name);
                int begun = cluster.Generations.Count;
                while (cluster.Generations.Count == begun)
                    await cluster.World.Delay(TimeSpan.FromMilliseconds(10));
            }
        });

        Assert.Equal(0, after.Events.OfType<GenerationOpened>().Sum(opened => opened.StepsRedone));
        Assert.Equal(3, after.Generations[^1].Opened.Workers.Count);
    }

    [Fact]
    public void All_workers_are_killed_and_the_newest_checkpoint_is_damaged()
    {
        SimulatedCluster after = Schedule.Run(seed: 7, workers: 2, async (cluster, _) =>
        {
            while (cluster.Disk.Newest is not >= 30)
                await cluster.World.Delay(TimeSpan.FromMilliseconds(10));
            SimulatedNode[] nodes = [.. cluster.Nodes];
            await Task.WhenAll(nodes.Select(node => cluster.KillAsync(node)));
            cluster.Disk.DamageNewest();
            foreach (SimulatedNode node in nodes)
                cluster.StartNode(node.Name);
            cluster.StartCoordinator();
        });

        Assert.Equal(20, after.Generations[^1].Opened.Step);
    }

    [Fact]
    public void The_disk_is_full_for_a_while_and_the_run_goes_on_and_says_so()
    {
        SimulatedCluster after = Schedule.Run(seed: 8, workers: 2, async (cluster, _) =>
        {
            cluster.Disk.IsFull = true;
            await cluster.ReachAsync(35);
            cluster.Disk.IsFull = false;
        });

        Assert.Contains(
            after.Events, e => e is FaultNoticed fault && fault.Message.Contains("No space left on device", StringComparison.Ordinal));
        Assert.InRange(after.Events.OfType<CheckpointSaved>().First().Step, 30, 40);
        Assert.Single(after.Generations);
    }

    [Fact]
    public void One_message_in_twenty_is_lost_and_one_in_ten_comes_twice()
    {
        SimulatedCluster after = Schedule.Run(seed: 9, workers: 3, async (cluster, ended) =>
        {
            cluster.Trouble = new(Lost: 0.05, Doubled: 0.1);
            await ended;
        });

        Assert.All(after.Generations, generation => Assert.Equal(3, generation.Opened.Workers.Count));
    }

    [Fact]
    public void Two_workers_do_not_reach_each_other_for_a_while()
    {
        SimulatedCluster after = Schedule.Run(seed: 10, workers: 3, async (cluster, _) =>
        {
            await cluster.ReachAsync(20);
            await cluster.CutAsync(cluster.Nodes[1], cluster.Nodes[2], TimeSpan.FromSeconds(2));
        });

        Assert.Equal(3, after.Generations[^1].Opened.Workers.Count);
    }
}
