using System.CommandLine;
using Microsoft.Extensions.Hosting;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Benchmarks;

/// <summary>The silo of <see cref="CoordinatorStep"/>'s workers.</summary>
internal static class SimulatedWorkers
{
    public static Command Command()
    {
        Option<int> port = new("--port"), gateway = new("--gateway");
        var command = new Command("simulated-workers", "The workers of coordinator-step.") { port, gateway };
        command.Hidden = true;
        command.SetAction(async (parsed, cancel) =>
        {
            HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new());
            builder.UseOrleans(silo => silo.UseLocalhostClustering(parsed.GetValue(port), parsed.GetValue(gateway)));
            using IHost host = builder.Build();
            await host.StartAsync(cancel);
            while (Console.ReadLine() is not null)
                Console.WriteLine("ready");
            await host.StopAsync(cancel);
        });
        return command;
    }
}

/// <summary>A worker that has done everything when it is asked.</summary>
internal sealed class SimulatedWorkerGrain : Grain, IWorkerGrain
{
    private const string Hash = "0123456789abcdef0123456789abcdef";

    private string Name => this.GetPrimaryKeyString();

    public Task LoadDataAsync(RunSpec spec) => Task.CompletedTask;

    public Task<PrepareResponse> PrepareAsync(PrepareRequest request) => Task.FromResult(new PrepareResponse(Name, null, null));

    public Task<JoinResponse> JoinAsync(JoinRequest request) =>
        Task.FromResult(new JoinResponse
        {
            Worker = Name,
            Step = request.Step ?? 0,
            SkippedInARow = 0,
            Images = 0,
            Parameters = 53_700_000,
            TrainImages = 50_000,
            TestImages = 10_000,
            Channels = 3,
            Size = 32,
            StateHash = Hash,
            Refused = [],
        });

    public Task<StepResponse> StepAsync(StepRequest request) => Task.FromResult(new StepResponse(Name, request.Step, [1.0], 1.0, 0));

    public Task<StateResponse> ReadStateAsync(StateRequest request) => throw new NotSupportedException();

    public Task<EvaluateResponse> EvaluateAsync(EvaluateRequest request) =>
        Task.FromResult(new EvaluateResponse(new double[request.EndBatch - request.FirstBatch]));

    public Task SnapshotAsync(CheckpointRequest request) => Task.CompletedTask;

    public Task<CheckpointResponse> WriteSnapshotAsync(CheckpointRequest request) => Task.FromResult(new CheckpointResponse("", 0, Hash));

    public Task<long?> AddScoreAsync(AddScoreRequest request) => Task.FromResult<long?>(null);

    public Task<SampleResponse> SampleAsync(SampleRequest request) => throw new NotSupportedException();

    public Task<string> HashAsync(StepRequest request) => Task.FromResult(Hash);

    public Task LeaveAsync(string run, int generation) => Task.CompletedTask;

    public Task<string?> DataEndpointAsync() => Task.FromResult<string?>(null);

    public Task<WorkerStatus> StatusAsync() => Task.FromResult(new WorkerStatus(Name, "simulated", null, 0, 0, WorkerPhase.Idle));
}
