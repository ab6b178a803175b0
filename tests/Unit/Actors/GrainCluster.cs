using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.GrainDirectory;
using Orleans.Runtime.Hosting;
using Orleans.Storage;
using Orleans.TestingHost;
using PixelCnnCluster.Actors;
using PixelCnnCluster.Actors.Cluster;
using PixelCnnCluster.Actors.Jobs;
using PixelCnnCluster.Actors.Telemetry;
using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Devices;
using PixelCnnCluster.Unit.Tests.Data;
using PixelCnnCluster.Unit.Tests.Simulation;

namespace PixelCnnCluster.Unit.Tests.Actors;

/// <summary>A cluster of one silo in this process, with real grains, a worker with a simulated replica, and a store in memory.</summary>
public sealed class GrainCluster : IAsyncLifetime
{
    private const string InMemory = "memory";

    private readonly InProcessTestCluster _cluster;
    private readonly TempFolder _root = new();

    public GrainCluster()
    {
        var builder = new InProcessTestClusterBuilder(initialSilosCount: 1);
        builder.ConfigureSilo((options, silo) => Configure(options.SiloName, silo));
        _cluster = builder.Build();
    }

    /// <summary>All folders of the silo, which a test may have hang.</summary>
    internal HangingFolders Folders { get; } = new();

    /// <summary>Where the records are, which a test may keep waiting.</summary>
    internal HeldStorage Storage { get; } = new();

    /// <summary>The time of all grains.</summary>
    internal ImpatientClock Clock { get; } = new();

    public IClusterGrain Cluster => _cluster.Client.GetGrain<IClusterGrain>(0);

    public IModelsGrain Models => _cluster.Client.GetGrain<IModelsGrain>(0);

    /// <summary>A run's folder; it goes with the cluster, which may write to it until then.</summary>
    public string NewFolder() => Path.Combine(_root.Path, Guid.NewGuid().ToString("N"));

    public ITrainingRunGrain Run(string run) => _cluster.Client.GetGrain<ITrainingRunGrain>(run);

    public async ValueTask InitializeAsync() => await _cluster.DeployAsync();

    public async ValueTask DisposeAsync()
    {
        Folders.Answer();
        await _cluster.DisposeAsync();
        Folders.Dispose();
        _root.Dispose();
    }

    private void Configure(string name, ISiloBuilder silo)
    {
        var meter = new Meter(Meters.Name);
        var device = new DeviceMetrics(meter);
        silo.Services.AddSingleton<TimeProvider>(Clock)
            .AddSingleton(new RunMetrics(meter))
            .AddSingleton(device)
            .AddSingleton<JobSlots>()
            .AddSingleton<AllowedFolders>(Folders)
            .AddSingleton(new Timeouts())
            .AddSingleton<ClusterWorkers>()
            .AddSingleton<IDataEndpoint, NoEndpoint>()
            .AddSingleton(services => new WorkerService(
                name, new QueuedDevice(), new SimulatedReplicas(),
                new(
                    services.GetRequiredService<ClusterWorkers>().Find,
                    new PeerNetwork(worker => services.GetRequiredService<ClusterWorkers>().Find(worker).DataEndpointAsync(), tls: null),
                    NullLogger.Instance),
                device, TimeProvider.System));
        silo.Services.AddGrainStorage(
            StoreNames.Storage, (services, _) => Storage.Over(services.GetRequiredKeyedService<IGrainStorage>(InMemory)));
        silo.AddMemoryGrainStorage(InMemory)
            .AddGrainDirectory(StoreNames.Directory, (_, _) => new MemoryDirectory())
            .AddPlacementDirector<WorkerPlacement, WorkerPlacementDirector>();
    }

    /// <summary>The only worker of a generation has no peers.</summary>
    private sealed class NoEndpoint : IDataEndpoint
    {
        public string? Address => null;
    }

    /// <summary>Work in order, on the thread pool.</summary>
    private sealed class QueuedDevice : IDevice
    {
        private readonly Lock _gate = new();
        private Task _last = Task.CompletedTask;

        public string Description => "simulated";

        public TimeSpan BusyFor => TimeSpan.Zero;

        public Task<T> RunAsync<T>(Func<T> work)
        {
            lock (_gate)
            {
                Task<T> done = _last.ContinueWith(
                    _ => work(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
                _last = done;
                return done;
            }
        }

        public Task<T> RunAsideAsync<T>(Func<T> work) => Task.Run(work);
    }

    private sealed class SimulatedReplicas : IReplicaSource
    {
        private readonly ConcurrentDictionary<string, SimulatedDisk> _disks = new();

        public void Load(RunSpec spec)
        {
        }

        public IReplica Build(RunSpec spec) => new SimulatedReplica(DiskOf(spec), _ => { });

        public long? AddScore(string checkpoint, double testBitsPerDim) => null;

        public long? NewestCheckpoint(RunSpec spec) => DiskOf(spec).Newest;

        public string Arithmetic(RunSpec spec) => "";

        private SimulatedDisk DiskOf(RunSpec spec) => _disks.GetOrAdd(spec.Output.SaveDir, _ => new());
    }

    private sealed class MemoryDirectory : IGrainDirectory
    {
        private readonly ConcurrentDictionary<GrainId, GrainAddress> _addresses = new();

        public Task<GrainAddress?> Register(GrainAddress address) =>
            Task.FromResult<GrainAddress?>(_addresses.GetOrAdd(address.GrainId, address));

        public Task<GrainAddress?> Register(GrainAddress address, GrainAddress? previousAddress)
        {
            if (previousAddress is not null)
                _addresses.TryUpdate(address.GrainId, address, previousAddress);
            return Register(address);
        }

        public Task Unregister(GrainAddress address)
        {
            _addresses.TryRemove(new(address.GrainId, address));
            return Task.CompletedTask;
        }

        public Task<GrainAddress?> Lookup(GrainId grainId) => Task.FromResult(_addresses.GetValueOrDefault(grainId));

        public Task UnregisterSilos(List<SiloAddress> siloAddresses)
        {
            foreach (GrainAddress address in _addresses.Values.Where(address => siloAddresses.Contains(address.SiloAddress!)))
                _addresses.TryRemove(new(address.GrainId, address));
            return Task.CompletedTask;
        }
    }
}

/// <summary>Folders of a server that a test may cut off: whoever looks at them waits then.</summary>
internal sealed class HangingFolders() : AllowedFolders([]), IDisposable
{
    private readonly ManualResetEventSlim _answers = new(initialState: true);

    /// <summary>Completes when somebody waits.</summary>
    public TaskCompletionSource Waited { get; private set; } = new();

    public void Hang()
    {
        Waited = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _answers.Reset();
    }

    public void Answer() => _answers.Set();

    public override void Check(string path, string what)
    {
        if (!_answers.IsSet)
            Waited.TrySetResult();
        _answers.Wait();
        base.Check(path, what);
    }

    public void Dispose() => _answers.Dispose();
}
