using Orleans.Concurrency;

namespace PixelCnnCluster.Contracts;

/// <summary>The cluster as a whole: its runs, and which workers each of them has. There is one, with key 0.</summary>
[Alias("pixelcnn.cluster")]
public interface IClusterGrain : IGrainWithIntegerKey
{
    /// <summary>Takes a run in; it begins as soon as a worker is free.</summary>
    /// <returns>Position of its first event.</returns>
    /// <exception cref="UserErrorException">The specification is wrong, the run exists, or another run writes to its folder.</exception>
    Task<long> SubmitAsync(string run, RunSpec spec);

    /// <summary>Lets a run that was stopped or has failed go on from its newest whole checkpoint.</summary>
    /// <returns>Position of the first event from now on.</returns>
    /// <exception cref="UserErrorException">There is no such run, or it is not one that can go on.</exception>
    Task<long> ResumeAsync(string run);

    /// <summary>All runs, the newest first.</summary>
    [AlwaysInterleave]
    Task<IReadOnlyList<RunOverview>> RunsAsync();

    /// <summary>All workers in the order of their names; one that does not answer is listed as such.</summary>
    [AlwaysInterleave]
    Task<IReadOnlyList<WorkerStatus>> WorkersAsync();

    /// <summary>
    /// Shares the workers out anew. Silos call it now and then and when one of them came or went, so that no run is left without a
    /// coordinator.
    /// </summary>
    [AlwaysInterleave]
    Task ReconcileAsync();

    /// <summary>Takes a worker from its run for good; its silo is about to stop.</summary>
    /// <param name="process">Identity of the silo's process: a later one of the same name is another worker.</param>
    [AlwaysInterleave]
    Task DrainAsync(string worker, string process);
}

/// <summary>Coordinator of one run; the key is the run's name.</summary>
[Alias("pixelcnn.run")]
public interface ITrainingRunGrain : IGrainWithStringKey
{
    /// <summary>Keeps the run's specification; for <see cref="IClusterGrain"/>, which consoles call.</summary>
    Task<long> BeginAsync(RunSpec spec);

    /// <summary>Makes a run that has ended go on; for <see cref="IClusterGrain"/>, which consoles call.</summary>
    Task<long> ContinueAsync();

    /// <summary>Says which workers the run has from now on.</summary>
    /// <param name="unfit">Those that were passed over, because the run does without them.</param>
    [AlwaysInterleave]
    Task AssignWorkersAsync(IReadOnlyList<string> workers, IReadOnlyList<string> unfit);

    [AlwaysInterleave]
    Task<RunOverview> OverviewAsync();

    /// <summary>Events from position <paramref name="from"/> on; waits up to a second for the first of them.</summary>
    /// <exception cref="UserErrorException">There is no such run.</exception>
    [AlwaysInterleave]
    Task<RunProgress> ReadAsync(long from);

    /// <summary>The images that the run sampled last; null before the first.</summary>
    /// <exception cref="UserErrorException">There is no such run.</exception>
    [AlwaysInterleave]
    Task<SamplesWritten?> SamplesAsync();

    /// <summary>Path of a checkpoint of the run as it is now; of its newest, if it does not train at the moment.</summary>
    /// <exception cref="UserErrorException">There is no such run, or it has no checkpoint.</exception>
    [AlwaysInterleave]
    Task<string> CheckpointAsync();

    /// <summary>Ends the run after the step in progress, with a checkpoint.</summary>
    /// <exception cref="UserErrorException">There is no such run, or it has ended.</exception>
    [AlwaysInterleave]
    Task StopAsync();
}

/// <summary>
/// One device with a replica of the model; the key is the name of the silo that owns the device. A call that is repeated, because its
/// answer did not come in time, gets the answer of the first.
/// </summary>
[Alias("pixelcnn.worker")]
public interface IWorkerGrain : IGrainWithStringKey
{
    /// <summary>Reads the run's data set, so that joining takes no time; for a worker that comes while the run trains.</summary>
    /// <exception cref="UserErrorException">The data set cannot be used.</exception>
    [ResponseTimeout(Deadlines.Answer), AlwaysInterleave]
    Task LoadDataAsync(RunSpec spec);

    /// <summary>Ends what the worker did in earlier generations of the run, refuses them from now on, and tells what it holds.</summary>
    /// <exception cref="UserErrorException">The data set cannot be used.</exception>
    [ResponseTimeout(Deadlines.Answer), AlwaysInterleave]
    Task<PrepareResponse> PrepareAsync(PrepareRequest request);

    /// <summary>Brings the worker's state to where the generation begins.</summary>
    [ResponseTimeout(Deadlines.Answer), AlwaysInterleave]
    Task<JoinResponse> JoinAsync(JoinRequest request);

    /// <summary>Computes and exchanges the gradient of the step; answers when it is whole, and applies it then.</summary>
    [ResponseTimeout(Deadlines.Answer), AlwaysInterleave]
    Task<StepResponse> StepAsync(StepRequest request);

    /// <summary>A slice of the state, for a peer that joins.</summary>
    [ResponseTimeout(Deadlines.Answer), AlwaysInterleave]
    Task<StateResponse> ReadStateAsync(StateRequest request);

    /// <summary>Scores a range of test batches with the Polyak average.</summary>
    [ResponseTimeout(Deadlines.Answer), AlwaysInterleave]
    Task<EvaluateResponse> EvaluateAsync(EvaluateRequest request);

    /// <summary>Copies the state for a checkpoint; the next step may follow at once.</summary>
    [ResponseTimeout(Deadlines.Answer), AlwaysInterleave]
    Task SnapshotAsync(CheckpointRequest request);

    /// <summary>Writes the copy while training goes on; the report comes when the file is whole.</summary>
    [ResponseTimeout(Deadlines.Answer), AlwaysInterleave]
    Task<CheckpointResponse> WriteSnapshotAsync(CheckpointRequest request);

    /// <summary>Adds a score to a checkpoint that is written.</summary>
    /// <returns>Steps of the folder's newest checkpoint that has not diverged; null if there is none.</returns>
    [ResponseTimeout(Deadlines.Answer), AlwaysInterleave]
    Task<long?> AddScoreAsync(AddScoreRequest request);

    /// <summary>Samples images from the Polyak average.</summary>
    [ResponseTimeout(Deadlines.Answer), AlwaysInterleave]
    Task<SampleResponse> SampleAsync(SampleRequest request);

    /// <summary>Hash of the whole state after the committed steps.</summary>
    [ResponseTimeout(Deadlines.Answer), AlwaysInterleave]
    Task<string> HashAsync(StepRequest request);

    /// <summary>
    /// Forgets the run, also in the middle of a step, and frees the device, unless the worker has heard of a generation after
    /// <paramref name="generation"/>.
    /// </summary>
    [AlwaysInterleave]
    Task LeaveAsync(string run, int generation);

    /// <summary>Where the worker takes chunks of gradients from its peers, address:port; null while its silo starts.</summary>
    [ResponseTimeout(Deadlines.Answer), AlwaysInterleave]
    Task<string?> DataEndpointAsync();

    [AlwaysInterleave]
    Task<WorkerStatus> StatusAsync();
}

/// <summary>
/// A silo's part in jobs with trained models; the key is the silo's name. A call that is repeated, because its answer did not come in time,
/// gets the answer of the first.
/// </summary>
[Alias("pixelcnn.sampler")]
public interface ISamplerGrain : IGrainWithStringKey
{
    /// <summary>Samples images, and answers as soon as row number <paramref name="from"/> of them is finished.</summary>
    /// <exception cref="UserErrorException">The model cannot be used.</exception>
    [ResponseTimeout(Deadlines.Answer), AlwaysInterleave]
    Task<SampleRowsResponse> SampleAsync(SampleRowsRequest request, int from);

    /// <exception cref="UserErrorException">The model or the data set cannot be used.</exception>
    [ResponseTimeout(Deadlines.Answer), AlwaysInterleave]
    Task<ImagesScored> ScoreAsync(ScoreRequest request);

    /// <summary>Images of a half of a data set that is to be scored.</summary>
    /// <exception cref="UserErrorException">The data set cannot be used, or has not the model's kind of images.</exception>
    [ResponseTimeout(Deadlines.Answer), AlwaysInterleave]
    Task<int> CountAsync(DataSetHalf half, ModelInfo model);
}

/// <summary>
/// One job, shared out over the samplers. It lives as long as its events are read, in one silo's memory: if that silo is lost, the job is
/// begun again and gives the same results.
/// </summary>
[Alias("pixelcnn.job")]
public interface IJobGrain : IGrainWithGuidKey
{
    Task BeginAsync(Job job);

    /// <summary>
    /// Events from position <paramref name="from"/> on; waits up to a second for the first of them. Those before are forgotten: a job has
    /// one reader.
    /// </summary>
    /// <returns>Null if the job is not known: it was not begun, or was lost with its silo.</returns>
    [AlwaysInterleave]
    Task<JobProgress?> ReadAsync(int from);

    /// <summary>Forgets the job, whether it is complete or not.</summary>
    [AlwaysInterleave]
    Task EndAsync();
}

/// <summary>Trained models as files that the silos see. Has no state; its key is 0.</summary>
[Alias("pixelcnn.models")]
public interface IModelsGrain : IGrainWithIntegerKey
{
    /// <summary>
    /// The model of a run, as it is now, or at a path, which has a / or ends in .safetensors: a checkpoint's, or a folder's whose newest is
    /// taken.
    /// </summary>
    /// <exception cref="UserErrorException">There is none.</exception>
    [ResponseTimeout(Deadlines.File)]
    Task<ModelInfo> FindAsync(string model);

    /// <summary>Writes a model's weights to a file: .safetensors, or .pth as PyTorch reads it.</summary>
    /// <exception cref="UserErrorException">The model cannot be written so, or the file not at all.</exception>
    [ResponseTimeout(Deadlines.File)]
    Task<ExportedWeights> ExportAsync(ModelInfo model, string path);

    /// <summary>Makes a checkpoint of a file of weights.</summary>
    /// <param name="imageSize">Side of the model's images, which weights alone do not tell; null for what the file says, or what is
    /// usual.</param>
    /// <exception cref="UserErrorException">The file does not hold the weights of one whole network, or the folder holds a checkpoint
    /// already.</exception>
    [ResponseTimeout(Deadlines.File)]
    Task<ModelInfo> ImportAsync(string path, string saveDir, int? imageSize);
}

/// <summary>How long a call may take before its outcome counts as unknown.</summary>
public static class Deadlines
{
    /// <summary>A worker that is busy for longer is asked again; one that is dead is noticed by membership before.</summary>
    public const string Answer = "00:00:05";

    /// <summary>For large files on slow disks.</summary>
    public const string File = "00:10:00";
}
