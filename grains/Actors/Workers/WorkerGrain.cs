using Orleans.GrainDirectory;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;

namespace PixelCnnCluster.Actors.Workers;

/// <summary>
/// The address of a <see cref="WorkerService"/>. It holds nothing itself: the device must not notice when an activation goes.
/// </summary>
[WorkerPlacement, GrainDirectory(StoreNames.Directory)]
public sealed class WorkerGrain(WorkerService device, IDataEndpoint endpoint) : Grain, IWorkerGrain
{
    public Task LoadDataAsync(RunSpec spec) => device.LoadDataAsync(spec);

    public Task<PrepareResponse> PrepareAsync(PrepareRequest request) => device.PrepareAsync(request);

    public Task<JoinResponse> JoinAsync(JoinRequest request) => device.JoinAsync(request);

    public Task<StepResponse> StepAsync(StepRequest request) => device.StepAsync(request);

    public Task<StateResponse> ReadStateAsync(StateRequest request) => device.ReadStateAsync(request);

    public Task<EvaluateResponse> EvaluateAsync(EvaluateRequest request) => device.EvaluateAsync(request);

    public Task SnapshotAsync(CheckpointRequest request) => device.SnapshotAsync(request);

    public Task<CheckpointResponse> WriteSnapshotAsync(CheckpointRequest request) => device.WriteSnapshotAsync(request);

    public Task<long?> AddScoreAsync(AddScoreRequest request) => device.AddScoreAsync(request);

    public Task<SampleResponse> SampleAsync(SampleRequest request) => device.SampleAsync(request);

    public Task<string> HashAsync(StepRequest request) => device.HashAsync(request);

    public Task LeaveAsync(string run, int generation) => device.LeaveAsync(run, generation);

    public Task<string?> DataEndpointAsync() => Task.FromResult(endpoint.Address);

    public Task<WorkerStatus> StatusAsync() => Task.FromResult(device.Status());
}
