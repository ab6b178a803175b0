using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Console.Tests.Display;
using PixelCnnCluster.Contracts;
using StackExchange.Redis;

namespace PixelCnnCluster.Console.Tests.Cluster;

/// <summary>
/// A real silo whose grains only pretend to train: a run takes one step and then waits to be stopped; one that is resumed completes.
/// </summary>
internal sealed class PretendedCluster : IAsyncDisposable
{
    private readonly EmbeddedStore _store = new();
    private IHost? _silo;

    private PretendedCluster() { }

    public string Address => _store.Address;

    public PretendedRuns Runs { get; } = new();

    public static async Task<PretendedCluster> StartAsync()
    {
        var cluster = new PretendedCluster();
        await cluster.StartSiloAsync();
        await using ConnectionMultiplexer redis = await ConnectionMultiplexer.ConnectAsync(cluster.Address);
        await redis.GetDatabase().StringSetAsync(ClusterNames.VersionKey(ClusterNames.DefaultClusterId), ClusterNames.Version);
        return cluster;
    }

    /// <summary>Starts a silo on ports that no earlier one had.</summary>
    public async Task StartSiloAsync()
    {
        int[] ports = FreePorts.Find(2);
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddSingleton(Runs);
        builder.UseOrleans(silo => silo
            .UseRedisClustering(_store.Address)
            .Configure<ClusterOptions>(
                options => (options.ClusterId, options.ServiceId) = (ClusterNames.DefaultClusterId, ClusterNames.ServiceId))
            // The runs without a cluster would be taken for grains too.
            .Configure<GrainTypeOptions>(options => options.Classes.Remove(typeof(PretendedRun)))
            .ConfigureEndpoints(IPAddress.Loopback, ports[0], ports[1]));
        _silo = builder.Build();
        await _silo.StartAsync();
    }

    public async Task StopSiloAsync()
    {
        if (_silo is null)
            return;
        await _silo.StopAsync();
        _silo.Dispose();
        _silo = null;
    }

    public async ValueTask DisposeAsync()
    {
        await StopSiloAsync();
        _store.Dispose();
    }
}

/// <summary>The runs of a pretended cluster, each with its specification and events.</summary>
internal sealed class PretendedRuns
{
    public ConcurrentDictionary<string, (RunSpec Spec, List<RunEvent> Events)> All { get; } = new();

    public (RunSpec Spec, List<RunEvent> Events) this[string run] =>
        All.TryGetValue(run, out (RunSpec Spec, List<RunEvent> Events) known) ? known
            : throw new UserErrorException($"There is no run {run}; the command runs lists them.");
}

internal sealed class PretendedClusterGrain(PretendedRuns runs) : Grain, IClusterGrain
{
    public Task<long> SubmitAsync(string run, RunSpec spec) =>
        runs.All.TryAdd(run, (spec, [Events.Started(spec) with { Run = run }, Events.Generation(1), Events.Step(1)]))
        ? Task.FromResult(0L)
        : throw new UserErrorException($"There is a run {run} already; name another folder with --save-dir.");

    public Task<long> ResumeAsync(string run)
    {
        List<RunEvent> events = runs[run].Events;
        int from = events.Count;
        events.AddRange([Events.Started(), Events.Ended()]);
        return Task.FromResult((long)from);
    }

    public async Task<IReadOnlyList<RunOverview>> RunsAsync() =>
        [.. await Task.WhenAll(runs.All.Keys.Order().Select(run => GrainFactory.GetGrain<ITrainingRunGrain>(run).OverviewAsync()))];

    public Task<IReadOnlyList<WorkerStatus>> WorkersAsync() =>
        Task.FromResult<IReadOnlyList<WorkerStatus>>([new("worker-0", "cpu", null, 0, 0, WorkerPhase.Idle)]);

    public Task ReconcileAsync() => Task.CompletedTask;

    public Task DrainAsync(string worker, string process) => Task.CompletedTask;
}

internal sealed class PretendedRunGrain(PretendedRuns runs) : Grain, ITrainingRunGrain
{
    private string Run => this.GetPrimaryKeyString();

    public Task<long> BeginAsync(RunSpec spec) => throw new NotSupportedException();

    public Task<long> ContinueAsync() => throw new NotSupportedException();

    public Task AssignWorkersAsync(IReadOnlyList<string> workers, IReadOnlyList<string> unfit) => throw new NotSupportedException();

    public Task<SamplesWritten?> SamplesAsync() => throw new NotSupportedException();

    public Task<string> CheckpointAsync() => throw new NotSupportedException();

    public Task<RunOverview> OverviewAsync()
    {
        var ended = runs[Run].Events[^1] as RunEnded;
        return Task.FromResult(Events.Overview(ended is null ? RunState.Training : RunState.Stopped) with { Run = Run });
    }

    public async Task<RunProgress> ReadAsync(long from)
    {
        List<RunEvent> events = runs[Run].Events;
        if (from >= events.Count)
            await Task.Delay(TimeSpan.FromMilliseconds(20));
        return new([.. events.Skip((int)from)], events.Count, Over: events[^1] is RunEnded);
    }

    public Task StopAsync()
    {
        if (runs[Run].Events[^1] is RunEnded)
            throw new UserErrorException($"Run {Run} has ended; resume lets it go on.");
        runs[Run].Events.Add(Events.Ended(RunOutcome.Stopped));
        return Task.CompletedTask;
    }
}
