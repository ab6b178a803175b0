using System.Globalization;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Tests;

public sealed class SoakTests
{
    /// <summary>What the runtime's heaps may differ by from one moment to another.</summary>
    private const long Slack = 24 << 20;

    [Fact]
    public async Task The_memory_of_every_process_is_flat_over_thousands_of_steps()
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync("worker-0", "worker-1");
        FollowedRun run = await cluster.SubmitAsync("run", UndisturbedRun.Spec with { Filters = 4, Mixtures = 1, BatchSize = 1, Shards = 2, Workers = 2, MaxSteps = 3000, SaveInterval = 10 });
        await run.StepAsync(1500);
        long[] before = Resident(cluster.Fleet);
        await run.StepAsync(3000);
        long[] after = Resident(cluster.Fleet);
        foreach ((long early, long late) in before.Zip(after))
            Assert.True(late < early + Slack, $"The silos' resident bytes grew from {string.Join(", ", before)} at step 1500 to {string.Join(", ", after)} at step 3000.");
        Assert.Equal(RunOutcome.Completed, (await run.EndAsync()).Outcome);
    }

    private static long[] Resident(Fleet fleet) => [.. fleet.Silos.Select(Resident)];

    private static long Resident(SiloProcess silo)
    {
        string line = File.ReadLines($"/proc/{silo.Id}/status").Single(text => text.StartsWith("VmRSS:", StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }
}
