using System.CommandLine;
using System.Text.Json;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Benchmarks;

/// <summary>
/// Whole training steps of real silo processes on the bundled digits, everything included that a run has. Runs with one worker and with all of them take turns on the same
/// silos, with the same batch per worker.
/// </summary>
internal static class ClusterStep
{
    /// <summary>Steps of each run that are not counted.</summary>
    private const int WarmUp = 5;

    public static Command Command()
    {
        var network = new NetworkOptions();
        Option<int> silos = new("--silos") { DefaultValueFactory = _ => 2, Description = "Silo processes." };
        Option<int> threads = new("--threads") { DefaultValueFactory = _ => 1, Description = "Threads of each." };
        Option<int> batch = new("--batch") { DefaultValueFactory = _ => 8, Description = "Images per worker and step." };
        Option<int> steps = new("--steps") { DefaultValueFactory = _ => 40, Description = "Steps of each run." };
        Option<int> turns = new("--turns") { DefaultValueFactory = _ => 3, Description = "Runs with one worker, and as many with all." };
        Option<WireFormat> wire = new("--wire") { Description = "How gradients travel." };
        var command = new Command("cluster-step", "Images/s of several silos against one.") { silos, threads, batch, steps, turns, wire, network.Filters, network.Resnets, network.Mixtures };
        command.SetAction((parsed, cancel) => RunAsync(
            new RunSpec
            {
                DataSet = DataSet.Digits,
                Filters = parsed.GetValue(network.Filters),
                Blocks = parsed.GetValue(network.Resnets),
                Mixtures = parsed.GetValue(network.Mixtures),
                Dropout = 0,
                BatchSize = parsed.GetValue(batch),
                MaxSteps = parsed.GetValue(steps) + WarmUp,
                Samples = 0,
                SaveInterval = int.MaxValue,
                Wire = parsed.GetValue(wire),
            },
            parsed.GetValue(silos), parsed.GetValue(threads), parsed.GetValue(turns), cancel));
        return command;
    }

    private static async Task RunAsync(RunSpec spec, int silos, int threads, int turns, CancellationToken cancel)
    {
        string folder = Directory.CreateTempSubdirectory("pixelcnn-step-").FullName;
        List<double> one = [], all = [], speedups = [];
        await using (LocalCluster cluster = await LocalCluster.StartAsync(silos, threads, folder, cancel))
        {
            for (int turn = 0; turn < turns; turn++)
            {
                one.Add((await StepsAsync(cluster, spec with { Workers = 1, Shards = threads }, folder, $"one-{turn}")).Median());
                all.Add((await StepsAsync(cluster, spec with { Workers = silos, Shards = silos * threads }, folder, $"all-{turn}")).Median());
                speedups.Add(all[^1] / one[^1]);
            }
        }

        Directory.Delete(folder, recursive: true);
        Console.WriteLine(JsonSerializer.Serialize(new { silos, threads, images_per_s_of_one = one.Median(), images_per_s = all.Median(), speedup = speedups.Median(), speedups }));
    }

    /// <summary>Images/s of each step.</summary>
    private static async Task<IReadOnlyList<double>> StepsAsync(LocalCluster cluster, RunSpec spec, string folder, string run)
    {
        long next = await cluster.Grains.Cluster.SubmitAsync(run, spec with { BatchSize = spec.BatchSize / (spec.Shards / spec.Workers), SaveDir = Path.Combine(folder, run) });
        List<StepCommitted> steps = [];
        for (bool over = false; !over;)
        {
            RunProgress progress = await cluster.Grains.Run(run).ReadAsync(next);
            (next, over) = (progress.Next, progress.Over);
            steps.AddRange(progress.Events.OfType<StepCommitted>().Where(step => step.Workers == spec.Workers));
            if (progress.Events.OfType<RunEnded>().FirstOrDefault() is { Error: { } error })
                throw new InvalidOperationException(error);
        }

        return [.. steps.Skip(WarmUp).Select(step => step.ImagesPerS)];
    }
}
