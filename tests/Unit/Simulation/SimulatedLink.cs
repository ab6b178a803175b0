using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>
/// Calls from a node to a worker over a network that delays, loses and doubles messages, with Orleans' answers: a timeout when no answer
/// comes, a failure once the worker's silo is known to be dead.
/// </summary>
internal sealed class SimulatedLink(SimulatedCluster cluster, SimulatedNode from, string to) : IWorkerGrain
{
    private static readonly TimeSpan ResponseTimeout = TimeSpan.FromSeconds(5);

    public Task LoadDataAsync(RunSpec spec) => CallAsync(worker => Answered(worker.LoadDataAsync(spec)));

    public Task<PrepareResponse> PrepareAsync(PrepareRequest request) => CallAsync(worker => worker.PrepareAsync(request));

    public Task<JoinResponse> JoinAsync(JoinRequest request) => CallAsync(worker => worker.JoinAsync(request));

    public Task<StepResponse> StepAsync(StepRequest request)
    {
        cluster.Orders.Add(request);
        return CallAsync(worker => worker.StepAsync(request));
    }

    public Task<StateResponse> ReadStateAsync(StateRequest request) => CallAsync(worker => worker.ReadStateAsync(request));

    public Task<EvaluateResponse> EvaluateAsync(EvaluateRequest request) => CallAsync(worker => worker.EvaluateAsync(request));

    public Task SnapshotAsync(CheckpointRequest request) => CallAsync(worker => Answered(worker.SnapshotAsync(request)));

    public Task<CheckpointResponse> WriteSnapshotAsync(CheckpointRequest request) =>
        CallAsync(worker => worker.WriteSnapshotAsync(request));

    public Task<long?> AddScoreAsync(AddScoreRequest request) => CallAsync(worker => worker.AddScoreAsync(request));

    public Task<SampleResponse> SampleAsync(SampleRequest request) => CallAsync(worker => worker.SampleAsync(request));

    public Task<string> HashAsync(StepRequest request) => CallAsync(worker => worker.HashAsync(request));

    public Task LeaveAsync(string run, int generation) => CallAsync(worker => Answered(worker.LeaveAsync(run, generation)));

    public Task<string?> DataEndpointAsync() => Task.FromResult<string?>(to);

    public Task<WorkerStatus> StatusAsync() => CallAsync(worker => Task.FromResult(worker.Status()));

    private static async Task<bool> Answered(Task call)
    {
        await call;
        return true;
    }

    private async Task<T> CallAsync<T>(Func<WorkerService, Task<T>> call)
    {
        SimulatedNode target = cluster.Nodes.LastOrDefault(
            node => node.Name == to && (from.Island is null ? !node.IsNoticed : node.Island == from.Island))
            ?? throw new OrleansException($"No silo named {to} is in the cluster.");
        var answer = new TaskCompletionSource<T>();
        _ = CarryAsync(target, call, answer);
        if (cluster.World.Chance(cluster.Trouble.Doubled))
            _ = CarryAsync(target, call, answer);
        target.Noticed += () =>
        {
            if (from.IsAlive && from.Island is null)
                answer.TrySetException(new OrleansException($"{to} is unavailable."));
        };
        return await answer.Task.WaitAsync(ResponseTimeout, from.Clock);
    }

    private async Task CarryAsync<T>(SimulatedNode target, Func<WorkerService, Task<T>> call, TaskCompletionSource<T> answer)
    {
        if (!await ArrivesAsync(from, target))
            return;
        try
        {
            T result = await call(target.Worker);
            if (await ArrivesAsync(target, from))
                answer.TrySetResult(result);
        }
        catch (Exception fault)
        {
            if (await ArrivesAsync(target, from))
                answer.TrySetException(fault);
        }
    }

    private async Task<bool> ArrivesAsync(SimulatedNode sender, SimulatedNode receiver)
    {
        if (!sender.IsAlive || cluster.IsCut(sender, receiver) || cluster.World.Chance(cluster.Trouble.Lost))
            return false;
        await cluster.World.Delay(
            cluster.World.Chance(cluster.Trouble.Lost) ? cluster.World.Between(50, 4000) : cluster.World.Between(1, 4));
        return receiver.IsAlive;
    }
}
