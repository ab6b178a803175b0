using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;
using PixelCnnCluster.Training.State;

namespace PixelCnnCluster.Training;

/// <summary>What the images and the network of a run look like.</summary>
public sealed record ReplicaFacts(long Parameters, int TrainImages, int TestImages, int Channels, int Size)
{
    /// <summary>Tells the images from all others.</summary>
    public string Data { get; init; } = "";

    /// <summary>Floating-point operations that one image of a step takes, forward and backward.</summary>
    public double FlopsPerImage { get; init; }
}

/// <summary>
/// A run's model on one device, as the step protocol sees it. <see cref="Replica"/> is the real one; a simulation of the protocol
/// brings its own. Its methods are called on the device, one at a time.
/// </summary>
public interface IReplica : IDisposable
{
    ReplicaFacts Facts { get; }

    /// <summary>Floats of each part of a gradient, from the one that is known last to the one that is known first.</summary>
    IReadOnlyList<int> GradientBuckets { get; }

    /// <summary>Host memory for floats, of a kind that the device copies from and to fast.</summary>
    Memory<float> NewVector(int length);

    /// <summary>Steps that the state has applied.</summary>
    long Step { get; }

    /// <summary>Steps up to the newest whose gradient was not finite, counted back to the last that was.</summary>
    int SkippedInARow { get; }

    /// <summary>Images that the steps have used.</summary>
    long Images { get; }

    /// <summary>Makes the run's state from the newest whole checkpoint, or afresh.</summary>
    /// <param name="newerThan">Steps of the state that is here and stays unless a whole checkpoint has more; null when there is
    /// none.</param>
    /// <param name="mustLoad">The run has written checkpoints, so it does not begin afresh.</param>
    /// <returns>Checkpoints that were damaged, with the reason.</returns>
    /// <exception cref="UserErrorException">A checkpoint that was asked for cannot be used.</exception>
    /// <exception cref="IOException">There is no checkpoint, and there must be one.</exception>
    IReadOnlyList<string> Start(long? newerThan, bool mustLoad);

    /// <summary>Computes the gradients of a range of shards and adds them to the round, each part as soon as it is known.</summary>
    /// <returns>Loss of each shard, summed over its images.</returns>
    /// <exception cref="OperationCanceledException">The round was over before the last shard was begun.</exception>
    double[] ComputeShards(ShardRange range, AllReduceStep step);

    /// <summary>Measures the whole gradient of the step in progress.</summary>
    /// <param name="gradient">See <see cref="GradientBuckets"/>.</param>
    GradientMeasure Measure(IReadOnlyList<ReadOnlyMemory<float>> gradient);

    /// <summary>Applies the gradient that was measured last, which ends the step.</summary>
    void Apply(IReadOnlyList<ReadOnlyMemory<float>> gradient, GradientMeasure measure);

    /// <summary>Hash of the whole state.</summary>
    string Hash();

    /// <summary>The state's bytes as slices of at most so many.</summary>
    IEnumerable<(long Offset, int Length)> StateSlices(int longest);

    byte[] ReadState(long offset, int length);

    void WriteState(long offset, ReadOnlySpan<byte> bytes);

    /// <summary>Begins at a step with a state that was written from outside.</summary>
    void StartAt(long step, int skippedInARow, long images);

    /// <summary>Loss of each test batch of a range with the Polyak average, summed over its images; nats, or the energy distance.</summary>
    double[] Evaluate(int firstBatch, int endBatch);

    /// <summary>Samples images number [first, end) of a series with the Polyak average.</summary>
    /// <returns>[end - first, C, H, W] bytes.</returns>
    byte[] Sample(int first, int end);

    /// <summary>Copies the state.</summary>
    /// <returns>Writes the copy; may be called on another thread while training goes on.</returns>
    Func<CheckpointResponse> Snapshot(string run, double? testBitsPerDim);
}

/// <summary>Where a worker's replicas come from. Called on the device.</summary>
public interface IReplicaSource
{
    /// <summary>Reads the data set, which stays in memory for the next replicas.</summary>
    /// <exception cref="UserErrorException">The data set cannot be used.</exception>
    void Load(RunSpec spec);

    /// <summary>Step of the newest checkpoint in the run's folder; null when it has none.</summary>
    long? NewestCheckpoint(RunSpec spec);

    /// <summary>Adds a test score to a checkpoint. It does not touch the device.</summary>
    /// <returns>Steps of the newest checkpoint in that folder that has not diverged; null if there is none.</returns>
    /// <exception cref="IOException">The disk refused.</exception>
    long? AddScore(string checkpoint, double testBitsPerDim);

    /// <summary>How the device rounds what a run like this computes; the same for all workers whose gradients have the same bits.</summary>
    string Arithmetic(RunSpec spec);

    /// <summary>A replica without a state.</summary>
    /// <exception cref="UserErrorException">The data set cannot be used.</exception>
    IReplica Build(RunSpec spec);
}
