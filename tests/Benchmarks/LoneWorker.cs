using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Benchmarks;

/// <summary>A worker that is alone in its run.</summary>
internal sealed class LoneWorker(Replica replica, RunSpec spec)
{
    private readonly GradientExchange exchange = new(new(spec.Shards), workers: 1, rank: 0, replica.GradientBuckets, spec.Wire, replica.NewVector);

    /// <summary>One whole step, forward, backward, Adam and average. Called on the device.</summary>
    public void Step()
    {
        AllReduceStep round = exchange.Begin(replica.Step);
        replica.ComputeShards(exchange.Share, round);
        replica.Apply(round.Whole.GetAwaiter().GetResult(), _ => { });
    }
}
