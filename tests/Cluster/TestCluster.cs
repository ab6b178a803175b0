using System.Globalization;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests;

/// <summary>
/// A Redis and silos that tests may kill, hang and cut off. <see cref="HealAsync"/> mends them for the next test, which takes less time
/// than to start all of them anew.
/// </summary>
public sealed class TestCluster : IAsyncLifetime
{
    private const int TailLines = 15;

    private readonly string _logs;
    private readonly string _dataDir;
    private Dictionary<string, long> _lengths = [];
    private RedisServer? _redis;
    private Fleet? _fleet;
    private bool _isSpoilt;
    private int _runs, _stores;

    public TestCluster()
    {
        Folder = Directory.CreateTempSubdirectory("pixelcnn-tests-").FullName;
        _logs = TestLogs.FolderFor(Folder);
        _dataDir = SmallDigits.Write(Folder);
    }

    /// <summary>Whether each silo has pages and metrics.</summary>
    public bool HasPages { get; init; }

    /// <summary>Environment of each silo that is started from now on.</summary>
    public Dictionary<string, string> Environment { get; } = [];

    /// <summary>What Redis and the silos ask for; the password becomes Redis' own.</summary>
    public ClusterAccess? Access { get; init; }

    /// <summary>IP address of Redis.</summary>
    public string RedisHost { get; init; } = "127.0.0.1";

    /// <summary>Where runs go.</summary>
    public string Folder { get; }

    public RedisServer Redis => _redis ?? throw NotStarted();

    public Fleet Fleet => _fleet ?? throw NotStarted();

    /// <summary>
    /// Whether the machine was so busy that a silo was taken for dead which no test had touched. A run ends in the same state all the same,
    /// but nobody can say in how many generations.
    /// </summary>
    public bool WasStarved => Fleet.Lost.Count > 0;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>Has just these silos running, idle, and no run that trains or waits.</summary>
    public async Task HealAsync(params IReadOnlyList<string> names)
    {
        if (_isSpoilt)
            await EndAsync();
        _isSpoilt = true;
        if (_redis is null || _fleet is null)
        {
            _redis = await RedisServer.StartAsync(
                Path.Combine(Folder, $"store-{++_stores}"), FreePorts.Find(1)[0], RedisHost, Access?.RedisPassword);
            _fleet = new(Folder, _logs, _redis.Address, Access) { HasPages = HasPages };
        }

        foreach ((string variable, string value) in Environment)
            _fleet.Environment[variable] = value;
        await MendAsync(_redis, _fleet, names);
        _lengths = _fleet.Logs.ToDictionary(path => path, path => new FileInfo(path).Length);
        _fleet.ForgetLost();
        _isSpoilt = false;
    }

    /// <summary>Begins to train on a few digits, in a run whose name no other has.</summary>
    public Task<FollowedRun> SubmitAsync(RunSpec spec) =>
        SubmitAsync(string.Create(CultureInfo.InvariantCulture, $"run-{Interlocked.Increment(ref _runs)}"), spec);

    public Task<FollowedRun> SubmitAsync(string name, RunSpec spec) => Fleet.SubmitAsync(name, spec with
    {
        Data = spec.Data with { DataDir = _dataDir },
    });

    /// <summary>Trains on a few digits to the end and returns all events, the last of which is the run's end.</summary>
    public async Task<IReadOnlyList<RunEvent>> TrainAsync(RunSpec spec)
    {
        FollowedRun run = await SubmitAsync(spec);
        await run.EndAsync();
        return run.Events;
    }

    /// <summary>No worker failed, and no step was done again.</summary>
    public void AssertNoFault(FollowedRun run)
    {
        if (WasStarved)
            return;
        Assert.Empty(run.Events.OfType<FaultNoticed>());
        Assert.Equal(0, run.Events.OfType<GenerationOpened>().Sum(opened => opened.StepsRedone));
    }

    /// <summary>Tells what a test that has failed wants to know, and has all started anew for the next.</summary>
    public void TellFailure()
    {
        _isSpoilt = true;
        foreach (string log in _fleet?.Logs ?? [])
        {
            using FileStream file = File.Open(log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            file.Position = _lengths.GetValueOrDefault(log);
            using var reader = new StreamReader(file);
            string[] lines = [.. reader.ReadToEnd().Split('\n').Where(
                line => line.Length > 0 && !line.StartsWith("   at ", StringComparison.Ordinal))];
            TestContext.Current.TestOutputHelper?.WriteLine($"{log}:\n  {string.Join("\n  ", lines.TakeLast(TailLines))}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        Directory.Delete(Folder, recursive: true);
    }

    private static async Task MendAsync(RedisServer redis, Fleet fleet, IReadOnlyList<string> names)
    {
        if (!redis.IsRunning)
            await redis.StartAsync();
        string[] living = [.. fleet.Living];
        if (living.Length > 0)
        {
            await Deadline.UntilAsync(() => EndRunsAsync(fleet), "the end of the test's runs");
            foreach (string surplus in living.Except(names))
            {
                fleet.Signal(surplus, "TERM");
                await fleet.Silo(surplus).Exited.WithinAsync(Deadline.Generous, $"the end of {surplus}");
            }
        }

        await fleet.StartAsync(names.Except(living));
        if (names.Count > 0)
        {
            await Deadline.UntilAsync(
                () => AskAsync(async () =>
                {
                    IReadOnlyList<WorkerStatus> workers = await fleet.Grains.Cluster.WorkersAsync();
                    return workers.Count == names.Count
                        && workers.All(worker => worker.Phase == WorkerPhase.Idle && names.Contains(worker.Worker));
                }),
                $"{string.Join(", ", names)}, idle");
        }
    }

    private static Task<bool> EndRunsAsync(Fleet fleet) => AskAsync(async () =>
    {
        RunOverview[] left = [.. (await fleet.Grains.Cluster.RunsAsync()).Where(run => !run.State.IsOver())];
        foreach (RunOverview run in left)
            await fleet.Grains.Run(run.Run).StopAsync();
        return left.Length == 0;
    });

    /// <returns>False where a cluster that just lost a silo does not answer.</returns>
    private static async Task<bool> AskAsync(Func<Task<bool>> ask)
    {
        try
        {
            return await ask();
        }
        catch (Exception fault) when (fault is OrleansException or TimeoutException or UserErrorException or IOException)
        {
            return false;
        }
    }

    private async Task EndAsync()
    {
        if (_fleet is not null)
            await _fleet.DisposeAsync();
        if (_redis is not null)
            await _redis.DisposeAsync();
        (_fleet, _redis) = (null, null);
    }

    private static InvalidOperationException NotStarted() => new("The cluster was not started; HealAsync does it.");
}
