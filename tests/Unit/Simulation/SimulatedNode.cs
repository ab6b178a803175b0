using Microsoft.Extensions.Logging.Abstractions;
using PixelCnnCluster.Actors.Telemetry;
using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Devices;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>A silo: a worker and its device, and coordinators that run on it. When it dies, nothing of it goes on.</summary>
internal sealed class SimulatedNode : IDevice, IReplicaSource
{
    private static readonly DeviceMetrics Figures = new(new(Meters.Name));

    private readonly SimulatedCluster _cluster;
    private readonly World _world;
    private Task _deviceQueue = Task.CompletedTask;
    private TimeSpan? _begun;

    public SimulatedNode(SimulatedCluster cluster, string name)
    {
        (_cluster, _world, Name) = (cluster, cluster.World, name);
        Clock = _world.ClockOf(() => IsAlive);
        Worker = new(
            name, this, this,
            new(peer => new SimulatedLink(cluster, this, peer), new SimulatedNetwork(cluster, this), NullLogger.Instance), Figures, Clock);
    }

    public string Name { get; }

    public bool IsAlive { get; private set; } = true;

    /// <summary>Others know that it is dead.</summary>
    public bool IsNoticed { get; private set; }

    /// <summary>Raised when others have noticed that it is dead.</summary>
    public event Action? Noticed;

    /// <summary>Raised when connections to it are reset, as by the end of its process.</summary>
    public event Action? Died;

    /// <summary>It has been told to stop, and gets no work any more.</summary>
    public bool IsDraining { get; set; }

    /// <summary>The nodes that it still reaches, when it is cut off from all others.</summary>
    public IReadOnlyCollection<SimulatedNode>? Island { get; set; }

    public TimeProvider Clock { get; }

    public WorkerService Worker { get; }

    public SimulatedReplica? Replica { get; private set; }

    public string Description => "simulated";

    /// <summary>Thrown by the work on shards, as when a card has no memory left.</summary>
    public Exception? Fault
    {
        get;
        set => (field, WasUnfit) = (value, WasUnfit || value is not null);
    }

    /// <summary>Thrown when the data set is read, as where a volume is missing.</summary>
    public UserErrorException? Mistake
    {
        get;
        set => (field, WasUnfit) = (value, WasUnfit || value is not null);
    }

    /// <summary>Its work may have failed, even if it would succeed now.</summary>
    public bool WasUnfit { get; private set; }

    /// <param name="isSilent">Its connections stay, as when a machine stands still.</param>
    public void Die(bool isSilent = false)
    {
        IsAlive = false;
        if (!isSilent)
            Died?.Invoke();
    }

    /// <summary>Ends the connections to it, as a network may; its process goes on.</summary>
    public void BreakConnections() => Died?.Invoke();

    public void Notice()
    {
        if (IsNoticed)
            return;
        IsNoticed = true;
        Noticed?.Invoke();
    }

    /// <summary>The work in progress never ends, nor what comes after it.</summary>
    public bool Hangs { get; set; }

    /// <summary>The folder takes what is written and never answers.</summary>
    public bool WritingHangs { get; set; }

    public TimeSpan BusyFor => _begun is { } at ? _world.Elapsed - at : TimeSpan.Zero;

    /// <summary>One after another, each after a while; now and then for so long that calls are repeated.</summary>
    public Task<T> RunAsync<T>(Func<T> work)
    {
        Task<T> done = AfterAsync(_deviceQueue);
        _deviceQueue = done;
        return done;

        async Task<T> AfterAsync(Task before)
        {
            await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            _begun = _world.Elapsed;
            await Task.Delay(_world.Chance(0.005) ? _world.Between(1000, 12_000) : _world.Between(1, 30), Clock);
            if (Replica is null && ReadingTime > TimeSpan.Zero)
                await Task.Delay(ReadingTime, Clock);
            if (Hangs)
                await new TaskCompletionSource().Task;
            try
            {
                return work();
            }
            finally
            {
                _begun = null;
            }
        }
    }

    public async Task<T> RunAsideAsync<T>(Func<T> work)
    {
        await Task.Delay(_world.Between(0, 500), Clock);
        if (WritingHangs)
            await new TaskCompletionSource().Task;
        return work();
    }

    public void Load(RunSpec spec)
    {
        if (Mistake is not null)
            throw Mistake;
    }

    /// <summary>What the images in its data folder are.</summary>
    public string Data { get; set; } = "the usual images";

    /// <summary>Its gradients differ from others' in their last bits.</summary>
    public bool RoundsDifferently { get; set; }

    /// <summary>That its device takes to read the data set.</summary>
    public TimeSpan ReadingTime { get; set; }

    public string Arithmetic(RunSpec spec) => RoundsDifferently ? "another kind" : "the usual kind";

    public long? AddScore(string checkpoint, double testBitsPerDim) => _cluster.Disk.Newest;

    public long? NewestCheckpoint(RunSpec spec) => _cluster.Disk.Newest;

    public IReplica Build(RunSpec spec)
    {
        Load(spec);
        return Replica = new(_cluster.Disk, _cluster.Check)
        {
            Computing = () => ThrowIf(Fault),
            RoundsDifferently = RoundsDifferently,
            Data = Data,
        };
    }

    private static void ThrowIf(Exception? fault)
    {
        if (fault is not null)
            throw fault;
    }
}
