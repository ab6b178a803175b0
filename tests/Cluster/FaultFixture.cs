using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Tests;

/// <summary>What an undisturbed run of <see cref="Spec"/> on one worker gives, trained once for all tests that disturb one: the state at each checkpoint.</summary>
public sealed class UndisturbedRun : IAsyncLifetime
{
    /// <summary>Some seconds of training, with checkpoints on the way.</summary>
    public static RunSpec Spec { get; } = FewDigits.Spec with { MaxSteps = 150, SaveInterval = 2, Workers = 4 };

    /// <summary>Steps of the longest run that is compared; checkpoints come every 25.</summary>
    private const int MostSteps = 250;

    private Dictionary<long, string> hashes = [];

    public async ValueTask InitializeAsync()
    {
        await using FaultyCluster alone = await FaultyCluster.StartAsync("worker-0");
        FollowedRun run = await alone.SubmitAsync("alone", Spec with { MaxSteps = MostSteps });
        RunEnded ended = await run.EndAsync();
        Assert.Equal((RunOutcome.Completed, MostSteps), (ended.Outcome, ended.Step));
        hashes = run.Events.OfType<CheckpointSaved>().DistinctBy(saved => saved.Step).ToDictionary(saved => saved.Step, saved => saved.StateHash);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>The run has ended in the same state as an undisturbed one of as many steps, and every step was committed once.</summary>
    /// <param name="mayRepeat">All who had a state were lost, so steps since the newest checkpoint were done again.</param>
    public async Task AssertSameEndAsync(FollowedRun run, bool mayRepeat = false)
    {
        RunEnded ended = await run.EndAsync();
        Assert.True(ended.Outcome == RunOutcome.Completed, $"{ended.Error} after {string.Join(" | ", run.Events.TakeLast(10))}");
        Assert.Equal(run.Spec.MaxSteps, ended.Step);
        Assert.Equal(hashes[ended.Step], ended.StateHash);
        if (mayRepeat)
            return;
        long[] steps = [.. run.Events.OfType<StepCommitted>().Select(step => step.Step)];
        Assert.Equal(steps.Distinct().Order(), steps);
    }
}

/// <summary>A Redis and silos of one test's own, which it may kill.</summary>
public sealed class FaultyCluster : IAsyncDisposable
{
    private readonly string dataDir;

    private FaultyCluster(string folder, RedisServer redis, ClusterAccess? access)
    {
        (Folder, Redis) = (folder, redis);
        Fleet = new(folder, redis.Address, access);
        dataDir = FewDigits.Write(folder);
    }

    public string Folder { get; }

    public RedisServer Redis { get; }

    public Fleet Fleet { get; }

    public static Task<FaultyCluster> StartAsync(params IEnumerable<string> silos) => StartAsync(new Dictionary<string, string>(), access: null, silos);

    /// <param name="environment">Of each silo.</param>
    /// <param name="access">What Redis and the silos ask for; the password becomes Redis' own.</param>
    public static async Task<FaultyCluster> StartAsync(IReadOnlyDictionary<string, string> environment, ClusterAccess? access, params IEnumerable<string> silos)
    {
        string folder = Directory.CreateTempSubdirectory("pixelcnn-faults-").FullName;
        var cluster = new FaultyCluster(folder, await RedisServer.StartAsync(folder, FreePorts.Find(1)[0], password: access?.RedisPassword), access);
        foreach ((string variable, string value) in environment)
            cluster.Fleet.Environment.Add(variable, value);
        await cluster.Fleet.StartAsync(silos);
        return cluster;
    }

    public Task<FollowedRun> SubmitAsync(string name, RunSpec spec) => Fleet.SubmitAsync(name, spec with { DataDir = dataDir });

    /// <summary>Name of the silo whose log tells last that it opened a generation of the run: there the coordinator is.</summary>
    public string CoordinatorOf(FollowedRun run)
    {
        string line = $"Run {run.Name}, generation ";
        return Fleet.Silos.Select(silo => silo.LogPath).Distinct()
            .Select(path => (Path: path, Line: File.ReadLines(path).LastOrDefault(text => text.Contains(line, StringComparison.Ordinal))))
            .Where(found => found.Line is not null)
            .OrderBy(found => found.Line, StringComparer.Ordinal)
            .Select(found => Path.GetFileNameWithoutExtension(found.Path))
            .Last();
    }

    public async ValueTask DisposeAsync()
    {
        await Fleet.DisposeAsync();
        await Redis.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }
}
