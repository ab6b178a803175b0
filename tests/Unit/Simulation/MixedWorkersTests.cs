using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>Workers whose gradients differ in the last bit do not train together, unless they may.</summary>
public sealed class MixedWorkersTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_worker_that_rounds_differently_is_left_out_by_name(bool joinsLater)
    {
        SimulatedCluster after = Schedule.Run(seed: 1, workers: 3, async (cluster, _) =>
        {
            SimulatedNode other = joinsLater ? await JoinAsync(cluster) : cluster.Nodes[1];
            other.RoundsDifferently = true;
        });

        FaultNoticed told = after.Events.OfType<FaultNoticed>().First();
        Assert.Contains($"{told.Worker} rounds differently", told.Message, StringComparison.Ordinal);
        Assert.Contains("--mixed-workers", told.Message, StringComparison.Ordinal);
        Assert.Equal(joinsLater ? 3 : 2, after.Generations[^1].Opened.Workers.Count);
    }

    /// <summary>The state is then another than that of an undisturbed run, which is what the flag says.</summary>
    [Fact]
    public void Workers_that_round_differently_train_together_where_they_may()
    {
        RunSpec mixed = Schedule.Spec with { Compute = Schedule.Spec.Compute with { MixedWorkers = true } };

        (RunEnded ended, SimulatedCluster after) = Schedule.RunToEnd(mixed, workers: 2, (cluster, _) =>
        {
            cluster.Nodes[1].RoundsDifferently = true;
            return Task.CompletedTask;
        });

        Assert.Contains("A state after 1 steps is", ended.Error, StringComparison.Ordinal);
        Assert.Equal(2, after.Generations[0].Opened.Workers.Count);
    }

    private static async Task<SimulatedNode> JoinAsync(SimulatedCluster cluster)
    {
        await cluster.ReachAsync(1);
        return cluster.StartNode();
    }
}
