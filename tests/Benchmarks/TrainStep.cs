using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Kernels;
using PixelCnnCluster.Model.Tensors;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Data;
using PixelCnnCluster.Training.Devices;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Benchmarks;

/// <summary>
/// One worker's whole training step, forward, backward, Adam and average, against the rate of a 1024x1024 matrix product that is
/// measured between the steps in the same process with the same number of threads. The batch is split into one shard per thread,
/// as a worker does it.
/// </summary>
internal static class TrainStep
{
    /// <summary>Side of the product that a step is compared with.</summary>
    public const int CpuProduct = 1024, GpuProduct = 4096;

    public static Command Command()
    {
        var network = new NetworkOptions();
        Option<int> batch = new("--batch") { DefaultValueFactory = _ => 16, Description = "Images of a step." };
        Option<int> threads = new("--threads")
        {
            DefaultValueFactory = _ => 2,
            Description = "Threads of the worker; must divide the batch."
        };
        Option<int> steps = new("--steps")
        {
            DefaultValueFactory = _ => 20,
            Description = "Steps that are measured, after 3 that are not."
        };
        Option<double> dropout = new("--dropout") { DefaultValueFactory = _ => 0, Description = "Dropout rate." };
        Option<Precision> precision = new("--precision")
        {
            DefaultValueFactory = _ => Precision.Tf32,
            Description = "What the network computes with, and the product."
        };
        var command = new Command("train-step", "A whole training step against the machine's matrix products.")
        {
            batch, threads, steps, dropout, precision,
        };
        network.AddTo(command);
        command.SetAction(parsed => parsed.GetValue(batch) % parsed.GetValue(threads) != 0 ? Refuse("--threads must divide --batch.") : Run(
            new RunSpec
            {
                Model = new()
                {
                    Filters = parsed.GetValue(network.Filters),
                    Blocks = parsed.GetValue(network.Resnets),
                    Mixtures = parsed.GetValue(network.Mixtures),
                    Dropout = parsed.GetValue(dropout)
                },
                Optimiser = new() { Shards = parsed.GetValue(threads), BatchSize = parsed.GetValue(batch) / parsed.GetValue(threads) },
                Compute = new() { Precision = parsed.GetValue(precision) },
            },
            parsed.GetValue(network.Channels), parsed.GetValue(network.Size), parsed.GetValue(network.Device)!, parsed.GetValue(threads),
            parsed.GetValue(steps)));
        return command;
    }

    private static int Refuse(string sentence)
    {
        Console.Error.WriteLine(sentence);
        return 2;
    }

    private static int Run(RunSpec spec, int channels, int size, string device, int threadCount, int steps)
    {
        using var threads = new DeviceThreads(threadCount, device);
        ImageData images = RandomImages(4 * spec.Optimiser.ImagesPerStep, channels, size);
        StepFigures figures = Measure(spec, images, threads, steps, device == "cpu" ? CpuProduct : GpuProduct);
        Console.WriteLine(JsonSerializer.Serialize(new
        {
            parameters = figures.Parameters,
            images_per_s = figures.ImagesPerSecond,
            s_per_step = figures.Seconds,
            gemm_gflops = figures.ProductRate / 1e9,
            gemm_fraction = figures.Fraction,
            peak_mb = Process.GetCurrentProcess().PeakWorkingSet64 >> 20,
        }));
        return 0;
    }

    /// <summary>Steps of a worker that is alone in its run, with a product of the same precision after each.</summary>
    /// <param name="steps">Steps that are measured, after 3 that are not.</param>
    /// <param name="productSide">Side of the product's matrices.</param>
    /// <param name="afterStep">Called with the number of each measured step.</param>
    public static StepFigures Measure(
        RunSpec spec, ImageData images, DeviceThreads threads, int steps, int productSide, Action<int>? afterStep = null)
    {
        List<double> seconds = [], products = [];
        return threads.RunAsync(() =>
        {
            using var replica = new Replica(spec, images, threads);
            replica.Initialise();
            var worker = new LoneWorker(replica, spec);
            for (int step = -3; step < steps; step++)
            {
                var clock = Stopwatch.StartNew();
                worker.Step();
                HostBytes.Finish(threads.Device);
                if (step >= 0)
                {
                    seconds.Add(clock.Elapsed.TotalSeconds);
                    products.Add(ProductSeconds(productSide, spec.Compute.Precision, threads));
                    afterStep?.Invoke(step);
                }
            }

            double imagesPerSecond = spec.Optimiser.ImagesPerStep / seconds.Median(),
                rate = 2.0 * productSide * productSide * productSide / products.Median();
            return new StepFigures(
                replica.Network.Layout.Count, seconds.Median(), imagesPerSecond, rate,
                3.0 * replica.Network.ForwardOperations * imagesPerSecond / rate);
        }).GetAwaiter().GetResult();
    }

    /// <summary>The library's own parallel product, with as many threads as the step has.</summary>
    public static double ProductSeconds(int side, Precision precision, DeviceThreads threads)
    {
        using DisposeScope scope = NewDisposeScope();
        set_num_threads(threads.Count);
        ProductRounding.Set(precision, threads.Device);
        ScalarType type = precision == Precision.Bf16 ? ScalarType.BFloat16 : ScalarType.Float32;
        Tensor a = rand(side, side, device: threads.Device).As(type), b = rand(side, side, device: threads.Device).As(type);
        a.matmul(b);
        HostBytes.Finish(threads.Device);
        var clock = Stopwatch.StartNew();
        for (int i = 0; i < 4; i++)
            a.matmul(b);
        HostBytes.Finish(threads.Device);
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
}

/// <summary>What a training step takes.</summary>
/// <param name="Seconds">Median.</param>
/// <param name="ProductRate">Floating-point operations per second of a matrix product.</param>
/// <param name="Fraction">The step's own rate, as a part of that.</param>
internal sealed record StepFigures(long Parameters, double Seconds, double ImagesPerSecond, double ProductRate, double Fraction);
