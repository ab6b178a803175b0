using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>The run's folder is not there when all workers have died: its volume is not mounted.</summary>
public sealed class LostVolumeTests
{
    [Fact]
    public void A_run_whose_folder_is_missing_waits_and_goes_on_from_what_it_saved()
    {
        long saved = 0;

        SimulatedCluster after = Schedule.Run(seed: 1, workers: 2, async (cluster, _) =>
        {
            saved = await LoseAllAsync(cluster);
            await cluster.World.Delay(TimeSpan.FromSeconds(20));
            cluster.Disk.IsMissing = false;
        });

        Assert.Single(
            after.Events.OfType<FaultNoticed>(),
            fault => fault.Message.Contains($"The checkpoint of step {saved} is not in", StringComparison.Ordinal));
        Assert.Equal(saved, after.Events.OfType<GenerationOpened>().Last().Step);
        Assert.InRange(after.World.Elapsed, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(60));
    }

    [Fact]
    public void A_run_that_waits_for_its_folder_can_be_stopped()
    {
        (RunEnded ended, _) = Schedule.RunToEnd(Schedule.Spec, workers: 2, async (cluster, _) =>
        {
            await LoseAllAsync(cluster);
            await cluster.World.Delay(TimeSpan.FromSeconds(10));
            await cluster.StopAsync();
        });

        Assert.Equal((RunOutcome.Stopped, null), (ended.Outcome, ended.StateHash));
    }

    /// <summary>Kills all when a checkpoint is written, takes the folder away, and starts them again.</summary>
    /// <returns>Steps of the checkpoint.</returns>
    private static async Task<long> LoseAllAsync(SimulatedCluster cluster)
    {
        while (cluster.Store.Record.SavedStep is null)
            await cluster.World.Delay(TimeSpan.FromMilliseconds(10));
        cluster.Disk.IsMissing = true;
        SimulatedNode[] nodes = [.. cluster.Nodes];
        await Task.WhenAll(nodes.Select(node => cluster.KillAsync(node)));
        long saved = cluster.Store.Record.SavedStep.Value;
        foreach (SimulatedNode node in nodes)
            cluster.StartNode(node.Name);
        cluster.StartCoordinator();
        return saved;
    }
}
