using Orleans.GrainDirectory;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors;

/// <summary>The address of a <see cref="WorkerService"/>. It holds nothing itself: the device must not notice when an activation goes.</summary>
[WorkerPlacement, GrainDirectory(StoreNames.Directory)]
public sealed class WorkerGrain(WorkerService device, IDataEndpoint endpoint) : Grain, IWorkerGrain
{
    public Task LoadDataAsync(RunSpec spec) => device.LoadDataAsync(spec);

    public Task<PrepareResponse> PrepareAsync(PrepareRequest order) => device.PrepareAsync(order);

    public Task<JoinResponse> JoinAsync(JoinRequest order) => device.JoinAsync(order);

    public Task<StepResponse> StepAsync(StepRequest order) => device.StepAsync(order);

    public Task<StateResponse> ReadStateAsync(StateRequest order) => device.ReadStateAsync(order);

    public Task<EvaluateResponse> EvaluateAsync(EvaluateRequest order) => device.EvaluateAsync(order);

    public Task SnapshotAsync(CheckpointRequest order) => device.SnapshotAsync(order);

    public Task<CheckpointResponse> WriteSnapshotAsync(CheckpointRequest order) => device.WriteSnapshotAsync(order);

    public Task<SampleResponse> SampleAsync(SampleRequest order) => device.SampleAsync(order);

    public Task<string> HashAsync(StepRequest order) => device.HashAsync(order);

    public Task LeaveAsync(string run, int generation) => device.LeaveAsync(run, generation);

    public Task<string?> DataEndpointAsync() => Task.FromResult(endpoint.Address);

    public Task<WorkerStatus> StatusAsync() => Task.FromResult(device.Status());
}
