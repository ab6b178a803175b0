using System.CommandLine;
using System.Text.Json;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Benchmarks;

/// <summary>
/// Whole training steps of real silo processes on the bundled digits, everything included that a run has. Runs with one worker, a run of
/// one worker on each silo at once, and runs with all workers take turns on the same silos, with the same batch per worker. The runs side
/// by side have nothing to do with each other: more than theirs the machine does not give. The slower of their steps, number for number,
/// tell about what is left to workers that wait for each other at each step where the machine slows its cores in turn.
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
        Option<int> turns = new("--turns")
        {
            DefaultValueFactory = _ => 3,
            Description = "Runs of each kind that are measured, after one that is not."
        };
        Option<WireFormat> wire = new("--wire") { Description = "How gradients travel." };
        var command = new Command(
            "cluster-step", "Images/s of several silos against one.") { silos, threads, batch, steps, turns, wire, network.Filters,
                network.Resnets, network.Mixtures };
        command.SetAction((parsed, cancel) => RunAsync(
            new RunSpec
            {
                Data = new() { DataSet = DataSet.Digits },
                Model = new()
                {
                    Filters = parsed.GetValue(network.Filters),
                    Blocks = parsed.GetValue(network.Resnets),
                    Mixtures = parsed.GetValue(network.Mixtures),
                    Dropout = 0
                },
                Optimiser = new() { BatchSize = parsed.GetValue(batch) },
                Limits = new() { MaxSteps = parsed.GetValue(steps) + WarmUp },
                Output = new() { Samples = 0, SaveInterval = int.MaxValue },
                Compute = new() { Wire = parsed.GetValue(wire) },
            },
            parsed.GetValue(silos), parsed.GetValue(threads), parsed.GetValue(turns), cancel));
        return command;
    }

    private static async Task RunAsync(RunSpec spec, int silos, int threads, int turns, CancellationToken cancel)
    {
        string folder = Directory.CreateTempSubdirectory("pixelcnn-step-").FullName;
        RunSpec lone = spec with
        {
            Optimiser = spec.Optimiser with { Shards = threads, BatchSize = spec.Optimiser.BatchSize / threads },
            Compute = spec.Compute with { Workers = 1 },
        };
        List<double> one = [], apart = [], abreast = [], all = [];
        await using (LocalCluster cluster = await LocalCluster.StartAsync(silos, threads, folder, Console.Error.WriteLine, cancel))
        {
            // The first turn is the compiler's.
            for (int turn = 0; turn <= turns; turn++)
            {
                double[][] single = await TrainAsync(cluster, lone, folder, [$"one-{turn}"]);
                double[][] neighbours = await TrainAsync(
                    cluster, lone, folder, [.. Enumerable.Range(0, silos).Select(silo => $"apart-{turn}-{silo}")]);
                double[][] together = await TrainAsync(
                    cluster, lone with
                    {
                        Optimiser = lone.Optimiser with { Shards = silos * threads },
                        Compute = lone.Compute with { Workers = silos },
                    }, folder, [$"all-{turn}"]);
                if (turn == 0)
                    continue;
                one.Add(single[0].Median());
                apart.Add(neighbours.Sum(run => run.Median()));
                abreast.Add(
                    Enumerable.Range(0, neighbours.Min(run => run.Length)).Select(step => silos * neighbours.Min(run => run[step]))
                        .Median());
                all.Add(together[0].Median());
            }
        }

        Directory.Delete(folder, recursive: true);
        double[] speedups = Over(all), separate = Over(apart), slower = Over(abreast);
        Console.WriteLine(JsonSerializer.Serialize(new
        {
            silos,
            threads,
            images_per_s_of_one = one.Median(),
            images_per_s = all.Median(),
            speedup = speedups.Median(),
            speedup_of_separate_runs = separate.Median(),
            speedup_of_their_slower_steps = slower.Median(),
            speedups,
            speedups_of_separate_runs = separate,
            speedups_of_their_slower_steps = slower,
        }));

        double[] Over(List<double> many) => [.. many.Zip(one, (images, single) => images / single)];
    }

    /// <summary>Trains runs side by side.</summary>
    /// <returns>The images/s of each, step by step.</returns>
    private static Task<double[][]> TrainAsync(LocalCluster cluster, RunSpec spec, string folder, string[] runs) =>
        Task.WhenAll(runs.Select(run => StepsAsync(cluster, run, spec with
        {
            Output = spec.Output with { SaveDir = Path.Combine(folder, run) },
        })));

    /// <summary>Images/s of each step.</summary>
    private static async Task<double[]> StepsAsync(LocalCluster cluster, string run, RunSpec spec)
    {
        long next = await cluster.Grains.Cluster.SubmitAsync(run, spec);
        List<StepCommitted> steps = [];
        for (bool over = false; !over;)
        {
            RunProgress progress = await cluster.Grains.Run(run).ReadAsync(next);
            (next, over) = (progress.Next, progress.Over);
            steps.AddRange(progress.Events.OfType<StepCommitted>().Where(step => step.Workers == spec.Compute.Workers));
            if (progress.Events.OfType<RunEnded>().FirstOrDefault() is { Error: { } error })
                throw new InvalidOperationException(error);
        }

        return [.. steps.Skip(WarmUp).Select(step => step.ImagesPerS)];
    }
}
