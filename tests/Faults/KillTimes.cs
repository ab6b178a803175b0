using System.Globalization;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Faults;

/// <summary>How soon a run trains again when the process of a worker is killed that has not the run's coordinator.</summary>
/// <param name="logs">Folder of the silos' logs.</param>
public sealed class KillTimes(string folder, string logs)
{
    private static readonly string[] Workers = ["worker-0", "worker-1", "worker-2"];

    /// <returns>Times from the kill to the beginning of the others' generation, one for each.</returns>
    public async Task<IReadOnlyList<TimeSpan>> MeasureAsync(int times)
    {
        RunSpec spec = SmallDigits.Spec with
        {
            Data = SmallDigits.Spec.Data with { DataDir = SmallDigits.Write(folder) },
            Compute = SmallDigits.Spec.Compute with { Workers = Workers.Length },
        };
        await using RedisServer redis = await RedisServer.StartAsync(folder, FreePorts.Find(1)[0]);
        await using Fleet fleet = new(folder, logs, redis.Address);
        await fleet.StartAsync(Workers);
        FollowedRun run = await fleet.SubmitAsync("run", spec);
        List<TimeSpan> measured = [];
        while (measured.Count < times)
        {
            await run.NextAsync<StepCommitted>(step => step.Workers == Workers.Length, "a step of all");
            await run.StepAsync(run.NewestStep + 5);
            string victim = Workers.First(name => name != fleet.CoordinatorOf(run));
            DateTimeOffset killed = DateTimeOffset.UtcNow;
            fleet.Kill(victim);
            GenerationOpened next = await run.NextAsync<GenerationOpened>(
                opened => !opened.Workers.Contains(victim), $"a generation without {victim}");
            await run.NextAsync<StepCommitted>(step => step.Workers < Workers.Length, "a step of the others");
            measured.Add(await BeginAsync(fleet, run, next.Generation) - killed);
            await fleet.StartAsync(victim);
        }

        await run.StopAsync();
        return measured;
    }

    /// <summary>By the coordinator's log: this client may have asked the silo that was killed, and hears of it later.</summary>
    private static async Task<DateTimeOffset> BeginAsync(Fleet fleet, FollowedRun run, int generation)
    {
        string begun = $"Run {run.Name}, generation {generation}: ";
        string told = await Deadline.UntilAsync(
            () => Task.FromResult(
                fleet.Logs.SelectMany(File.ReadLines).LastOrDefault(line => line.Contains(begun, StringComparison.Ordinal))),
            $"the coordinator's word of generation {generation}");
        return DateTimeOffset.Parse(told.Split(' ')[0], CultureInfo.InvariantCulture);
    }
}
