using System.Globalization;
using System.Text.RegularExpressions;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Faults;

/// <summary>What came of a disturbed run.</summary>
public sealed record ChaosReport
{
    public required int Seed { get; init; }

    public required IReadOnlyList<string> Faults { get; init; }

    public required long Steps { get; init; }

    public required long StepsRedone { get; init; }

    /// <summary>Seconds from each fault that cost a worker to the moment when the next generation trained.</summary>
    public required IReadOnlyList<double> Recoveries { get; init; }

    /// <summary>Of the disturbed run; the same as <see cref="UndisturbedHash"/> if all is well.</summary>
    public required string? StateHash { get; init; }

    public required string? UndisturbedHash { get; init; }

    public bool IsSame => StateHash is not null && StateHash == UndisturbedHash;

    public override string ToString()
    {
        double[] sorted = [.. Recoveries.Order()];
        IEnumerable<string> kinds = Faults.CountBy(fault => fault).Select(pair => $"{pair.Value} x {pair.Key}");
        return string.Create(CultureInfo.InvariantCulture, $"""
            seed             {Seed}
            faults survived  {Faults.Count}: {string.Join(", ", kinds)}
            steps            {Steps}, of which {StepsRedone} were done again
            time to recover  {(sorted.Length == 0 ? "-" : $"{sorted[sorted.Length / 2]:F1} s median, {sorted[^1]:F1} s worst")}
            state            {StateHash}, {(IsSame ? "as undisturbed" : $"but undisturbed {UndisturbedHash}")}
            """);
    }
}

/// <summary>
/// Kills, stops and starts real silos, and their Redis, at random while a run trains, and then trains the same steps undisturbed.
/// </summary>
/// <param name="logs">Folder of the silos' logs.</param>
/// <param name="undisturbed">Hash of the state after so many steps of <see cref="SmallDigits.Spec"/>, where it is known; else they are
/// trained.</param>
public sealed partial class Chaos(string folder, string logs, int seed, TextWriter log, Func<long, Task<string>>? undisturbed = null)
{
    private const int Workers = 3;

    private static readonly RunSpec Spec = SmallDigits.Spec with { Compute = SmallDigits.Spec.Compute with { Workers = Workers } };

    private readonly Random _random = new(seed);
    private readonly List<string> _faults = [];
    private readonly List<double> _recoveries = [];
    private int _generation;

    /// <summary>Disturbs the run for that time, or with so many faults.</summary>
    public async Task<ChaosReport> RunAsync(TimeSpan duration, int mostFaults = int.MaxValue)
    {
        RunSpec spec = Spec with { Data = Spec.Data with { DataDir = SmallDigits.Write(folder) } };
        RunEnded ended;
        long redone;
        await using (RedisServer redis = await RedisServer.StartAsync(folder, FreePorts.Find(1)[0]))
        await using (Fleet fleet = new(folder, logs, redis.Address))
        {
            await fleet.StartAsync(Names);
            FollowedRun run = await fleet.SubmitAsync("chaos", spec);
            await run.StepAsync(5);
            using var end = new CancellationTokenSource(duration);
            while (!end.IsCancellationRequested && _faults.Count < mostFaults)
            {
                await DisturbAsync(fleet, redis, run);
                // Some steps in peace, so that the next fault strikes at any moment of one.
                await run.StepAsync(run.NewestStep + _random.Next(5, 30));
                await Task.Delay(_random.Next(200));
            }

            ended = await run.StopAsync();
            redone = run.Events.OfType<GenerationOpened>().Sum(opened => opened.StepsRedone);
        }

        log.WriteLine($"undisturbed: {ended.Step} steps");
        string? hash = undisturbed is null ? await TrainUndisturbedAsync(spec with { Limits = spec.Limits with { MaxSteps = ended.Step } })
            : await undisturbed(ended.Step);
        return new()
        {
            Seed = seed,
            Faults = _faults,
            Steps = ended.Step,
            StepsRedone = redone,
            Recoveries = _recoveries,
            StateHash = ended.StateHash,
            UndisturbedHash = hash,
        };
    }

    private static IEnumerable<string> Names => Enumerable.Range(0, Workers).Select(i => $"worker-{i}");

    private async Task<string?> TrainUndisturbedAsync(RunSpec spec)
    {
        string below = Directory.CreateDirectory(Path.Combine(folder, "undisturbed")).FullName;
        await using RedisServer redis = await RedisServer.StartAsync(below, FreePorts.Find(1)[0]);
        await using Fleet fleet = new(below, logs, redis.Address);
        await fleet.StartAsync("worker-0");
        return (await (await fleet.SubmitAsync("undisturbed", spec)).EndAsync()).StateHash;
    }

    /// <summary>One fault, and the wait until all workers are in the run again.</summary>
    private async Task DisturbAsync(Fleet fleet, RedisServer redis, FollowedRun run)
    {
        string[] victims = [.. Names];
        _random.Shuffle(victims);
        _generation = run.Events.OfType<GenerationOpened>().Last().Generation;
        DateTime begun = DateTime.UtcNow;
        switch (_random.Next(10))
        {
            case < 4:
                Note("kill -9 of a silo");
                await LoseAsync(victims[..1]);
                break;
            case < 6:
                Note("kill -9 of two silos at once");
                await LoseAsync(victims[..2]);
                break;
            case 6:
                Note("kill -9 of all silos");
                await LoseAsync(victims);
                break;
            case 7:
                Note("SIGTERM to a silo");
                fleet.Signal(victims[0], "TERM");
                await GoneAsync(victims[..1]);
                break;
            case 8:
                Note("SIGSTOP of a silo for 6 s");
                fleet.Signal(victims[0], "STOP");
                await Task.Delay(TimeSpan.FromSeconds(6));
                fleet.Signal(victims[0], "CONT");
                await GoneAsync(victims[..1]);
                break;
            default:
                Note("kill -9 of Redis");
                await redis.KillAsync();
                await Task.Delay(_random.Next(3000));
                await redis.StartAsync();
                break;
        }

        async Task LoseAsync(string[] lost)
        {
            foreach (string victim in lost)
                fleet.Kill(victim);
            await GoneAsync(lost);
        }

        // Started again, they join the run.
        async Task GoneAsync(string[] lost)
        {
            foreach (string victim in lost)
                await fleet.Silo(victim).Exited.WithinAsync(Deadline.Generous, $"the end of {victim}");
            if (lost.Length < Workers)
            {
                await run.NextAsync<GenerationOpened>(
                    opened => opened.Generation > _generation && !lost.Any(opened.Workers.Contains), "a generation of those left");
                Recovered(fleet, begun);
            }

            await fleet.StartAsync(lost);
            await run.NextAsync<GenerationOpened>(
                opened => opened.Generation > _generation && opened.Workers.Count == Workers, "a generation of all");
            if (lost.Length == Workers)
                Recovered(fleet, begun);
        }
    }

    private void Note(string fault)
    {
        _faults.Add(fault);
        log.WriteLine($"{_faults.Count}: {fault}");
    }

    /// <summary>The silos' logs say to the millisecond when the next generation began.</summary>
    private void Recovered(Fleet fleet, DateTime begun)
    {
        DateTime next = fleet.Logs.SelectMany(File.ReadLines)
            .Select(line => Opened().Match(line))
            .Where(match => match.Success && int.Parse(match.Groups["generation"].ValueSpan, CultureInfo.InvariantCulture) > _generation)
            .Min(match => DateTime.Parse(match.Groups["time"].ValueSpan, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal));
        _recoveries.Add((next - begun).TotalSeconds);
    }

    [GeneratedRegex(@"^(?<time>\S+) .* Run chaos, generation (?<generation>\d+):", RegexOptions.ExplicitCapture)]
    private static partial Regex Opened();
}
