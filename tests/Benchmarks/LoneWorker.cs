using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Benchmarks;

/// <summary>A worker that is alone in its run.</summary>
internal sealed class LoneWorker(Replica replica, RunSpec spec)
{
    private readonly GradientExchange _exchange = new(
        new(spec.Optimiser.Shards), WorkerRank.Alone, replica.GradientBuckets, spec.Compute.Wire, replica.NewVector);

    /// <summary>One whole step, forward, backward, Adam and average. Called on the device.</summary>
    public void Step()
    {
        AllReduceStep step = _exchange.Begin(replica.Step);
        replica.ComputeShards(_exchange.Share, step);
        IReadOnlyList<ReadOnlyMemory<float>> gradient = step.Whole.GetAwaiter().GetResult();
        replica.Apply(gradient, replica.Measure(gradient));
    }
}
