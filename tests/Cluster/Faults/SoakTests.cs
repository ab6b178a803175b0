using System.Globalization;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests.Faults;

/// <summary>Memory is flat over any number of steps.</summary>
[Collection(nameof(FaultCluster))]
public sealed class SoakTests(TestCluster cluster) : ClusterTests(cluster)
{
    /// <summary>Bytes a step: a third of the gradient, of which a step could leave a copy behind.</summary>
    private const double MostGrowth = 64 * 1024;

    [Fact]
    public Task The_memory_of_every_process_is_flat() => SoakAsync(steps: 200, windows: 10, MostGrowth);

    [Fact(Explicit = true)]
    [Trait("Needs", "time")]
    public Task The_memory_of_every_process_is_flat_over_many_thousands_of_steps() => SoakAsync(steps: 8000, windows: 20, MostGrowth / 16);

    /// <summary>
    /// The first fifth is for caches to fill; then the median of the slopes between any two measurements is what grows all the time.
    /// </summary>
    /// <param name="mostGrowth">Bytes a step.</param>
    private async Task SoakAsync(int steps, int windows, double mostGrowth)
    {
        await Cluster.HealAsync("worker-0", "worker-1", "worker-2");
        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Endless with
        {
            Output = UndisturbedRun.Endless.Output with { SaveInterval = 10 },
        });
        await run.StepAsync(steps / 5);
        List<(long Step, double[] Bytes)> measured = [];
        for (int window = 1; window <= windows; window++)
        {
            await run.StepAsync((steps / 5) + (steps * 4 / 5 * window / windows));
            measured.Add((run.NewestStep, [.. Cluster.Fleet.Living.Order().Select(name => Resident(Cluster.Fleet.Silo(name)))]));
        }

        await run.StopAsync();
        if (Cluster.WasStarved)
            return;
        for (int silo = 0; silo < 3; silo++)
        {
            double[] slopes =
            [
                .. from one in measured
                   from other in measured
                   where one.Step < other.Step
                   select (other.Bytes[silo] - one.Bytes[silo]) / (other.Step - one.Step),
            ];
            double slope = slopes.Order().ElementAt(slopes.Length / 2);
            Assert.True(
                slope < mostGrowth,
                $"worker-{silo} gained {slope:F0} bytes a step: " +
                $"{string.Join(", ", measured.Select(point => $"{point.Bytes[silo] / (1 << 20):F1} MB at step {point.Step}"))}");
        }
    }

    private static double Resident(SiloProcess silo)
    {
        string line = File.ReadLines($"/proc/{silo.Id}/status").Single(text => text.StartsWith("VmRSS:", StringComparison.Ordinal));
        return 1024 * double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }
}
