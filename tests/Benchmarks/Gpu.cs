using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;
using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Objectives;
using PixelCnnCluster.Model.Sampling;
using PixelCnnCluster.Model.Tensors;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Data;
using PixelCnnCluster.Training.Devices;
using static TorchSharp.torch;

namespace PixelCnnCluster.Benchmarks;

/// <summary>
/// All figures of a GPU in one go: training steps of the paper's CIFAR-10 model by batch and precision, memory over many steps, when
/// gradients are there for other workers, cached sampling, and how far logits, gradients and samples are from the CPU's. A JSON line for
/// each figure and a table at the end.
/// </summary>
internal static class Gpu
{
    private const int MemorySteps = 100;

    public static Command Command()
    {
        var network = new NetworkOptions(paper: true);
        Option<int[]> batches = new("--batches")
        {
            DefaultValueFactory = _ => [16, 32, 64, 128],
            Description = "Images of a step.",
            AllowMultipleArgumentsPerToken = true
        };
        Option<int[]> images = new("--images")
        {
            DefaultValueFactory = _ => [16, 256],
            Description = "Images sampled at once.",
            AllowMultipleArgumentsPerToken = true
        };
        Option<int> steps = new("--steps") { DefaultValueFactory = _ => 20, Description = "Steps that are measured for each figure." };
        Option<int> product = new("--product")
        {
            DefaultValueFactory = _ => TrainStep.GpuProduct,
            Description = "Side of the matrix product that steps are compared with."
        };
        var command = new Command(
            "gpu", "All figures of a GPU in one go; --device cpu and a small network try the command itself.") { batches, images, steps,
                product };
        network.AddTo(command);
        command.SetAction(parsed =>
        {
            using var threads = new DeviceThreads(1, parsed.GetValue(network.Device)!);
            NetworkShape shape = network.Shape(parsed);
            List<string> rows = [];
            Console.WriteLine(JsonSerializer.Serialize(new { what = "device", name = threads.Description }));
            // First: what libtorch keeps of larger batches would hide what grows.
            Tell(rows, $"memory over {MemorySteps} steps, batch {parsed.GetValue(batches)![0]}", () =>
                Memory(shape, parsed.GetValue(batches)![0], threads));
            foreach (Precision precision in new[] { Precision.Float32, Precision.Tf32, Precision.Bf16 })
            {
                foreach (int batch in parsed.GetValue(batches)!)
                    Tell(rows, $"train, batch {batch}, {precision}", () => Training(
                        shape, batch, precision, threads, parsed.GetValue(steps), parsed.GetValue(product)));
            }

            foreach (int batch in parsed.GetValue(batches)!)
                Tell(rows, $"first gradients for others, batch {batch}, Tf32", () =>
                    Departure(shape, batch, threads, parsed.GetValue(steps)));
            foreach (int count in parsed.GetValue(images)!)
                Tell(rows, $"sample, {count} images", () => Sampling(shape, count, threads));
            foreach (Precision precision in new[] { Precision.Float32, Precision.Tf32, Precision.Bf16 })
                Tell(rows, $"logits, {precision}", () => Logits(shape, precision, threads));
            Tell(rows, "gradient", () => Gradient(shape, threads));
            Tell(rows, "samples against the CPU's", () => Samples(shape, threads));
            Console.WriteLine(string.Join('\n', ["| what | figures |", "| --- | --- |", .. rows]));
        });
        return command;
    }

    /// <summary>Measures one thing. What cannot be done, as for want of memory, is told, and the rest goes on.</summary>
    private static void Tell(List<string> rows, string what, Func<Dictionary<string, double>> measure)
    {
        try
        {
            Dictionary<string, double> figures = measure();
            Console.WriteLine(JsonSerializer.Serialize(new { what, figures }));
            IEnumerable<string> told = figures.Select(
                figure => $"{figure.Key} {figure.Value.ToString("G4", CultureInfo.InvariantCulture)}");
            rows.Add($"| {what} | {string.Join(", ", told)} |");
        }
        catch (Exception fault) when (fault is ExternalException or InvalidOperationException)
        {
            string error = fault.Message.Split('\n')[0];
            Console.WriteLine(JsonSerializer.Serialize(new { what, error }));
            rows.Add($"| {what} | {error} |");
        }
    }

    private static RunSpec Spec(NetworkShape shape, int batch, Precision precision) => new()
    {
        Model = new() { Filters = shape.Filters, Blocks = shape.Blocks, Mixtures = shape.Mixtures },
        Optimiser = new() { Shards = 1, BatchSize = batch },
        Compute = new() { Precision = precision },
    };

    private static ImageData Images(NetworkShape shape, int batch) => TrainStep.RandomImages(4 * batch, shape.Channels, shape.Size);

    private static Dictionary<string, double> Training(
        NetworkShape shape, int batch, Precision precision, DeviceThreads threads, int steps, int product)
    {
        StepFigures figures = TrainStep.Measure(Spec(shape, batch, precision), Images(shape, batch), threads, steps, product);
        return new()
        {
            ["images_per_s"] = figures.ImagesPerSecond,
            ["product_tflops"] = figures.ProductRate / 1e12,
            ["fraction"] = figures.Fraction
        };
    }

    /// <summary>Used memory after some steps, and after a hundred more.</summary>
    private static Dictionary<string, double> Memory(NetworkShape shape, int batch, DeviceThreads threads)
    {
        Dictionary<string, double> figures = [];
        TrainStep.Measure(
            Spec(shape, batch, Precision.Tf32), Images(shape, batch), threads, MemorySteps + 1, productSide: 64, afterStep: step =>
        {
            if (step is not (0 or MemorySteps))
                return;
            string when = step == 0 ? "first" : "last";
            figures[$"host_mib_{when}"] = Environment.WorkingSet >> 20;
            if (threads.UsedMemory is { } used)
                figures[$"device_mib_{when}"] = used >> 20;
        });
        return figures;
    }

    /// <summary>When the first gradients of a step are there for another worker, and when the last.</summary>
    private static Dictionary<string, double> Departure(NetworkShape shape, int batch, DeviceThreads threads, int steps) =>
        On(threads, () =>
    {
        RunSpec spec = Spec(shape, batch, Precision.Tf32) with
        {
            Optimiser = Spec(shape, batch, Precision.Tf32).Optimiser with { Shards = 2 },
        };
        using var replica = new Replica(spec, TrainStep.RandomImages(spec.Optimiser.ImagesPerStep, shape.Channels, shape.Size), threads);
        replica.Initialise();
        var exchange = new GradientExchange(
            new(spec.Optimiser.Shards), new(0, 2), replica.GradientBuckets, spec.Compute.Wire, replica.NewVector);
        List<double> first = [], last = [];
        for (int step = -3; step < steps; step++)
        {
            AllReduceStep round = exchange.Begin(step);
            var clock = Stopwatch.StartNew();
            Task<double> departed = exchange.SendQueues[1].NewsAsync(CancellationToken.None)
                .ContinueWith(
                    _ => clock.Elapsed.TotalMilliseconds, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously,
                    TaskScheduler.Default);
            replica.ComputeShards(exchange.Share, round);
            if (step < 0)
                continue;
            last.Add(clock.Elapsed.TotalMilliseconds);
            first.Add(departed.GetAwaiter().GetResult());
        }

        return new Dictionary<string, double> { ["first_ms"] = first.Median(), ["last_ms"] = last.Median() };
    });

    private static Dictionary<string, double> Sampling(NetworkShape shape, int count, DeviceThreads threads) => On(threads, () =>
    {
        var network = new PixelCnn(shape);
        using Parameters parameters = Sample.Initialised(network, threads.Device);
        Sample.SampleImages(network, parameters, threads, 1);
        return new Dictionary<string, double> { ["images_per_s"] = count / Sample.SampleImages(network, parameters, threads, count) };
    });

    /// <summary>The same parameters and images on the CPU in float32 and on the device.</summary>
    private static Dictionary<string, double> Logits(NetworkShape shape, Precision precision, DeviceThreads threads) => On(threads, () =>
    {
        using IDisposable none = no_grad();
        var network = new PixelCnn(shape);
        using Parameters onHost = Sample.Initialised(network, CPU), onDevice = new(network.Layout, onHost.Values.to(threads.Device));
        Tensor images = Sample.RandomImages(shape, 4);
        Tensor expected = network.Forward(new ForwardContext(onHost), images);
        Tensor found = network.Forward(new ForwardContext(onDevice) { Precision = precision }, images.to(threads.Device)).cpu();
        return new Dictionary<string, double>
        {
            ["greatest_difference"] = (found - expected).abs().max().Value<float>(),
            ["greatest_logit"] = expected.abs().max().Value<float>()
        };
    });

    /// <summary>
    /// The same float32 gradient on the CPU, on the device and on the device as it is recorded, dropout included, whose masks are the same
    /// everywhere.
    /// </summary>
    private static Dictionary<string, double> Gradient(NetworkShape shape, DeviceThreads threads) => On(threads, () =>
    {
        var network = new PixelCnn(shape with { Dropout = 0.5 });
        using Parameters start = Sample.Initialised(network, CPU);
        Tensor expected = GradientOn(CPU, record: false), found = GradientOn(threads.Device, record: false);
        Dictionary<string, double> figures = new()
        {
            ["relative_difference"] = ((found - expected).norm() / expected.norm()).Value<float>(),
        };
        if (threads.Device.type != TorchSharp.DeviceType.CPU)
            figures["recorded_differs_by"] = (GradientOn(threads.Device, record: true) - found).abs().max().Value<float>();
        return figures;

        Tensor GradientOn(Device device, bool record)
        {
            Tensor values = start.Values.to(device), images = Sample.RandomImages(shape, 2).to(device),
                keys = ForwardContext.MaskKeysOf(seed: 1, network.Masks).to(device);
            using Parameters parameters = new(network.Layout, values, zeros_like(values));
            using RecordedShard? recorded = record ? RecordedShard.TryRecord(Compute, images, null, keys)
                ?? throw new InvalidOperationException("The card cannot record a shard.") : null;
            _ = recorded?.Compute(images, null, keys) ?? Compute(images, null, keys);
            return parameters.Gradient!.cpu();

            Tensor Compute(Tensor images, Tensor? labels, Tensor keys)
            {
                parameters.Gradient!.zero_();
                Tensor loss = Losses.Sum(
                    Objective.Likelihood, network.Forward(new ForwardContext(parameters) { Dropout = true, MaskKeys = keys }, images),
                    images, focalGamma: 0);
                loss.backward();
                return loss;
            }
        }
    });

    /// <summary>
    /// The same images drawn on the CPU and on the device: a value that rounds to the other side changes those that follow it.
    /// </summary>
    private static Dictionary<string, double> Samples(NetworkShape shape, DeviceThreads threads) => On(threads, () =>
    {
        var network = new PixelCnn(shape);
        using Parameters onHost = Sample.Initialised(network, CPU), onDevice = new(network.Layout, onHost.Values.to(threads.Device));
        byte[] expected = PixelSampler.Sample(network, onHost, labels: null, [1, 2]),
            found = PixelSampler.Sample(network, onDevice, labels: null, [1, 2]);
        return new Dictionary<string, double>
        {
            ["equal_values"] = expected.Zip(found)
            .Count(pair => pair.First == pair.Second) / (double)expected.Length
        };
    });

    private static T On<T>(DeviceThreads threads, Func<T> work) => threads.RunAsync(work).GetAwaiter().GetResult();
}
