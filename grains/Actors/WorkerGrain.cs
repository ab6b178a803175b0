using Orleans.GrainDirectory;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors;

/// <summary>The address of a <see cref="WorkerDevice"/>. It holds nothing itself: the device must not notice when an activation goes.</summary>
[WorkerPlacement, GrainDirectory(StoreNames.Directory)]
public sealed class WorkerGrain(WorkerDevice device, IDataEndpoint endpoint) : Grain, IWorkerGrain
{
    public Task PrepareAsync(RunSpec spec) => device.PrepareAsync(spec);

    public Task<Holding> EnrolAsync(EnrolOrder order) => device.EnrolAsync(order);

    public Task<JoinReport> JoinAsync(GenerationOrder order) => device.JoinAsync(order);

    public Task<StepReport> StepAsync(StepOrder order) => device.StepAsync(order);

    public Task<StateSlice> ReadStateAsync(StateOrder order) => device.ReadStateAsync(order);

    public Task<EvaluationReport> EvaluateAsync(EvaluationOrder order) => device.EvaluateAsync(order);

    public Task SnapshotAsync(CheckpointOrder order) => device.SnapshotAsync(order);

    public Task<CheckpointReport> WriteSnapshotAsync(CheckpointOrder order) => device.WriteSnapshotAsync(order);

    public Task<SampleReport> SampleAsync(SampleOrder order) => device.SampleAsync(order);

    public Task<string> HashAsync(StepOrder order) => device.HashAsync(order);

    public Task LeaveAsync(string run, int generation) => device.LeaveAsync(run, generation);

    public Task<string?> DataEndpointAsync() => Task.FromResult(endpoint.Address);

    public Task<WorkerStatus> StatusAsync() => Task.FromResult(device.Status());
}
