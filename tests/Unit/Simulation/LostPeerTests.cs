using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>A worker's process ends: its peers notice before the cluster does.</summary>
public sealed class LostPeerTests
{
    /// <summary>Which it does after 900 ms at the earliest. A device is busy for seconds now and then, so the median counts.</summary>
    [Fact]
    public void The_others_train_again_before_the_cluster_knows()
    {
        List<TimeSpan> times = [];
        for (int seed = 1; seed <= 20; seed++)
        {
            TimeSpan killed = default;
            SimulatedCluster after = Schedule.Run(seed, workers: 3, async (cluster, _) =>
            {
                await cluster.ReachAsync(23);
                killed = cluster.World.Elapsed;
                await cluster.KillAsync(cluster.Nodes.First(node => !cluster.HasCoordinator(node)));
            });
            (GenerationOpened opened, TimeSpan at) = after.Generations[^1];
            Assert.Equal((2, GenerationCause.WorkerLost), (opened.Workers.Count, opened.Kind));
            times.Add(at - killed);
        }

        Assert.InRange(times.Order().ElementAt(times.Count / 2), TimeSpan.Zero, TimeSpan.FromMilliseconds(400));
    }

    [Fact]
    public void Connections_that_break_alone_cost_no_generation()
    {
        SimulatedCluster after = Schedule.Run(seed: 3, workers: 3, async (cluster, ended) =>
        {
            while (!ended.IsCompleted)
            {
                await cluster.World.Delay(TimeSpan.FromMilliseconds(100));
                foreach (SimulatedNode node in cluster.Nodes)
                    node.BreakConnections();
            }
        });

        Assert.Single(after.Generations);
    }
}
