using Orleans.Concurrency;

namespace PixelCnnCluster.Contracts;

/// <summary>Coordinator of one run; the key is the run's name.</summary>
[Alias("pixelcnn.run")]
public interface ITrainingRunGrain : IGrainWithStringKey
{
    /// <summary>Begins the run and returns at once; what becomes of it is read from <see cref="ReadAsync"/>.</summary>
    /// <exception cref="UserErrorException">The specification is wrong or the run exists.</exception>
    Task StartAsync(RunSpec spec);

    /// <summary>Events from position <paramref name="from"/> on; waits up to a second for the first of them.</summary>
    [AlwaysInterleave]
    Task<RunProgress> ReadAsync(int from);

    /// <summary>Ends the run after the step in progress, with a checkpoint.</summary>
    [AlwaysInterleave]
    Task StopAsync();
}

/// <summary>One device with a replica of the model; the key is the name of the silo that owns the device.</summary>
[Alias("pixelcnn.worker")]
public interface IWorkerGrain : IGrainWithStringKey
{
    /// <summary>Makes the worker a member of a generation: data read, replica built or kept.</summary>
    [ResponseTimeout(Deadlines.Work)]
    Task<JoinReport> JoinAsync(GenerationOrder order);

    /// <summary>Applies what the order says is committed, then computes and exchanges the gradient of the step.</summary>
    [ResponseTimeout(Deadlines.Work)]
    Task<StepReport> StepAsync(StepOrder order);

    /// <summary>Takes a slice of a gradient from a peer.</summary>
    [ResponseTimeout(Deadlines.Work), AlwaysInterleave]
    Task DeliverAsync(GradientChunk chunk);

    /// <summary>Scores a range of test batches with the Polyak average.</summary>
    [ResponseTimeout(Deadlines.Work)]
    Task<EvaluationReport> EvaluateAsync(EvaluationOrder order);

    /// <summary>Copies the state for a checkpoint; the next step may follow at once.</summary>
    [ResponseTimeout(Deadlines.Work)]
    Task SnapshotAsync(CheckpointOrder order);

    /// <summary>Writes the copy while training goes on; the report comes when the file is whole.</summary>
    [ResponseTimeout(Deadlines.Work), AlwaysInterleave]
    Task<CheckpointReport> WriteSnapshotAsync(CheckpointOrder order);

    /// <summary>Draws images from the Polyak average.</summary>
    [ResponseTimeout(Deadlines.Work)]
    Task<SampleReport> SampleAsync(SampleOrder order);

    /// <summary>Hash of the whole state after the committed steps.</summary>
    Task<string> HashAsync(StepOrder order);

    /// <summary>Forgets the run, also in the middle of a step, and frees the device.</summary>
    [AlwaysInterleave]
    Task LeaveAsync(string run);
}

/// <summary>How long a call may take before its outcome counts as unknown.</summary>
public static class Deadlines
{
    /// <summary>Tensor work of unknown size; a dead worker is noticed by membership long before.</summary>
    public const string Work = "1.00:00:00";
}
