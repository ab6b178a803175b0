using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Data;
using static TorchSharp.torch;

namespace PixelCnnCluster.Benchmarks;

/// <summary>
/// One worker's whole training step, forward, backward, Adam and average, against the rate of a 1024x1024 matrix product that is
/// measured between the steps in the same process with the same number of threads. The batch is split into one shard per thread,
/// as a worker does it.
/// </summary>
internal static class TrainStep
{
    private const int ProductSide = 1024;

    public static Command Command()
    {
        var network = new NetworkOptions();
        Option<int> batch = new("--batch") { DefaultValueFactory = _ => 16, Description = "Images of a step." };
        Option<int> threads = new("--threads") { DefaultValueFactory = _ => 2, Description = "Threads of the worker; must divide the batch." };
        Option<int> steps = new("--steps") { DefaultValueFactory = _ => 20, Description = "Steps that are measured, after 3 that are not." };
        Option<double> dropout = new("--dropout") { DefaultValueFactory = _ => 0, Description = "Dropout rate." };
        var command = new Command("train-step", "A whole training step against the machine's matrix products.")
        {
            batch, threads, steps, dropout,
        };
        network.AddTo(command);
        command.SetAction(parsed => parsed.GetValue(batch) % parsed.GetValue(threads) != 0 ? Refuse("--threads must divide --batch.") : Run(
            new RunSpec
            {
                Filters = parsed.GetValue(network.Filters),
                Blocks = parsed.GetValue(network.Resnets),
                Mixtures = parsed.GetValue(network.Mixtures),
                Dropout = parsed.GetValue(dropout),
                Shards = parsed.GetValue(threads),
                BatchSize = parsed.GetValue(batch) / parsed.GetValue(threads),
            },
            parsed.GetValue(network.Channels), parsed.GetValue(network.Size), parsed.GetValue(threads), parsed.GetValue(steps)));
        return command;
    }

    private static int Refuse(string sentence)
    {
        Console.Error.WriteLine(sentence);
        return 2;
    }

    private static int Run(RunSpec spec, int channels, int size, int threadCount, int steps)
    {
        ImageData images = RandomImages(spec.ImagesPerStep * 4, channels, size);
        using var threads = new DeviceThreads(threadCount);
        using var replica = new Replica(spec, images, threads);
        List<double> seconds = [], products = [];
        threads.RunAsync(() =>
        {
            replica.Initialise();
            var alone = new GradientExchange(new(spec.Shards), workers: 1, rank: 0, replica.GradientParts, spec.Wire);
            for (int step = -3; step < steps; step++)
            {
                var clock = Stopwatch.StartNew();
                GradientRound round = alone.Begin(replica.Step);
                replica.ComputeShards(alone.Share, round);
                replica.Hold(round.Whole.GetAwaiter().GetResult());
                replica.AdvanceTo(replica.Step + 1);
                if (step >= 0)
                {
                    seconds.Add(clock.Elapsed.TotalSeconds);
                    products.Add(ProductSeconds(threadCount));
                }
            }

            return true;
        }).GetAwaiter().GetResult();

        double perStep = Median(seconds), imagesPerSecond = spec.ImagesPerStep / perStep;
        double productRate = 2.0 * ProductSide * ProductSide * ProductSide / Median(products);
        Console.WriteLine(JsonSerializer.Serialize(new
        {
            parameters = replica.Network.Layout.Count,
            images_per_s = imagesPerSecond,
            s_per_step = perStep,
            gemm_gflops = productRate / 1e9,
            gemm_fraction = 3.0 * replica.Network.ForwardOperations * imagesPerSecond / productRate,
        }));
        return 0;
    }

    /// <summary>The library's own parallel product, with as many threads as the step has.</summary>
    private static double ProductSeconds(int threads)
    {
        using var scope = NewDisposeScope();
        set_num_threads(threads);
        Tensor a = rand(ProductSide, ProductSide), b = rand(ProductSide, ProductSide);
        a.matmul(b);
        var clock = Stopwatch.StartNew();
        for (int i = 0; i < 4; i++)
            a.matmul(b);
        double elapsed = clock.Elapsed.TotalSeconds / 4;
        set_num_threads(1);
        return elapsed;
    }

    public static ImageData RandomImages(int count, int channels, int size)
    {
        var random = new Random(1);
        var builder = new ImageSetBuilder(channels, size, classes: 0);
        for (int i = 0; i < count; i++)
            random.NextBytes(builder.Add(0));
        ImageSet images = builder.Build();
        return new(images, images);
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
