using System.Globalization;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Tests;

/// <summary>
/// A Redis and silos that tests may kill, hang and cut off. <see cref="HealAsync"/> mends them for the next test, which takes less time than
/// to start all of them anew.
/// </summary>
public sealed class TestCluster : IAsyncLifetime
{
    private const int TailLines = 15;

    private readonly string logs;
    private readonly string dataDir;
    private Dictionary<string, long> lengths = [];
    private RedisServer? redis;
    private Fleet? fleet;
    private bool isSpoilt;
    private int runs, stores;

    public TestCluster()
    {
        Folder = Directory.CreateTempSubdirectory("pixelcnn-tests-").FullName;
        logs = TestLogs.FolderFor(Folder);
        dataDir = SmallDigits.Write(Folder);
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

    public RedisServer Redis => redis ?? throw NotStarted();

    public Fleet Fleet => fleet ?? throw NotStarted();

    /// <summary>
    /// Whether the machine was so busy that a silo was taken for dead which no test had touched. A run ends in the same state all the same, but
    /// nobody can say in how many generations.
    /// </summary>
    public bool WasStarved => Fleet.Lost.Count > 0;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>Has just these silos running, idle, and no run that trains or waits.</summary>
    public async Task HealAsync(params IReadOnlyList<string> names)
    {
        if (isSpoilt)
            await EndAsync();
        isSpoilt = true;
        if (redis is null || fleet is null)
        {
            redis = await RedisServer.StartAsync(Path.Combine(Folder, $"store-{++stores}"), FreePorts.Find(1)[0], RedisHost, Access?.RedisPassword);
            fleet = new(Folder, logs, redis.Address, Access) { HasPages = HasPages };
        }

        foreach ((string variable, string value) in Environment)
            fleet.Environment[variable] = value;
        await MendAsync(redis, fleet, names);
        lengths = fleet.Logs.ToDictionary(path => path, path => new FileInfo(path).Length);
        fleet.ForgetLost();
        isSpoilt = false;
    }

    /// <summary>Begins to train on a few digits, in a run whose name no other has.</summary>
    public Task<FollowedRun> SubmitAsync(RunSpec spec) =>
        SubmitAsync(string.Create(CultureInfo.InvariantCulture, $"run-{Interlocked.Increment(ref runs)}"), spec);

    public Task<FollowedRun> SubmitAsync(string name, RunSpec spec) => Fleet.SubmitAsync(name, spec with { DataDir = dataDir });

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
        isSpoilt = true;
        foreach (string log in fleet?.Logs ?? [])
        {
            using FileStream file = File.Open(log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            file.Position = lengths.GetValueOrDefault(log);
            using var reader = new StreamReader(file);
            string[] lines = [.. reader.ReadToEnd().Split('\n').Where(line => line.Length > 0 && !line.StartsWith("   at ", StringComparison.Ordinal))];
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
                    return workers.Count == names.Count && workers.All(worker => worker.Phase == WorkerPhase.Idle && names.Contains(worker.Worker));
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
        if (fleet is not null)
            await fleet.DisposeAsync();
        if (redis is not null)
            await redis.DisposeAsync();
        (fleet, redis) = (null, null);
    }

    private static InvalidOperationException NotStarted() => new("The cluster was not started; HealAsync does it.");
}
