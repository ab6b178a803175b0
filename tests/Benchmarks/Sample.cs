using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Objectives;
using PixelCnnCluster.Model.Sampling;
using PixelCnnCluster.Model.Tensors;
using PixelCnnCluster.Reference;
using PixelCnnCluster.Training.Devices;
using static TorchSharp.torch;

namespace PixelCnnCluster.Benchmarks;

/// <summary>
/// Cached sampling against naive sampling, which evaluates the whole network at the image's full size anew for every pixel, no row
/// left out and nothing kept from pixel to pixel. Both have the same images on each thread, single-threaded kernels and the same
/// sampling of colours. The naive one is measured on a few pixels, after one that is not, and scaled to all.
/// </summary>
internal static class Sample
{
    public static Command Command()
    {
        var network = new NetworkOptions();
        Option<int> images = new("--images") { DefaultValueFactory = _ => 16, Description = "Images sampled at once." };
        Option<int> threads = new("--threads") { DefaultValueFactory = _ => 2, Description = "Threads that share out the images." };
        Option<int> naivePixels = new("--naive-pixels")
        {
            DefaultValueFactory = _ => 8,
            Description = "Pixels that the naive sampler is measured on."
        };
        var command = new Command("sample", "Cached sampling against evaluating the whole network for every pixel.")
        {
            images, threads, naivePixels,
        };
        network.AddTo(command);
        command.SetAction(parsed => Run(
            network.Shape(parsed), parsed.GetValue(network.Device)!, parsed.GetValue(images), parsed.GetValue(threads),
            parsed.GetValue(naivePixels)));
        return command;
    }

    private static void Run(NetworkShape shape, string device, int images, int threadCount, int naivePixels)
    {
        using var threads = new DeviceThreads(threadCount, device);
        (double cached, double naive) = threads.RunAsync(() =>
        {
            var network = new PixelCnn(shape);
            using Parameters parameters = Initialised(network, threads.Device);
            SampleImages(network, parameters, threads, threads.Count);
            return (SampleImages(network, parameters, threads, images), Naive(network, parameters, threads, images, naivePixels));
        }).GetAwaiter().GetResult();
        int pixels = shape.Size * shape.Size;
        Console.WriteLine(JsonSerializer.Serialize(new
        {
            images,
            total_s = cached,
            s_per_image = cached / images,
            naive_s_per_image = naive * pixels / naivePixels / images,
            naive_pixels_measured = naivePixels,
            speedup = naive * pixels / naivePixels / cached,
        }));
    }

    /// <summary>Parameters as random images leave them, the same on every device but for rounding.</summary>
    public static Parameters Initialised(PixelCnn network, Device device)
    {
        NetworkShape shape = network.Shape;
        var parameters = new Parameters(network.Layout, zeros(network.Layout.Length, device: device));
        network.SampleParameters(parameters, seed: 1);
        using IDisposable none = no_grad();
        network.Forward(new ForwardContext(parameters) { Initialising = true }, RandomImages(shape, 16).to(device));
        return parameters;
    }

    /// <summary>[count, C, H, W] in [-1, 1], the same in each process.</summary>
    public static Tensor RandomImages(NetworkShape shape, int count)
    {
        using var generator = new Generator(1, CPU);
        return ImageScaling.FromBytes(
            rand([count, shape.Channels, shape.Size, shape.Size], generator: generator).Times(255.99).to_type(ScalarType.Byte));
    }

    /// <summary>Seconds for whole images.</summary>
    public static double SampleImages(PixelCnn network, Parameters parameters, DeviceThreads threads, int images)
    {
        var clock = Stopwatch.StartNew();
        Share(threads, images, (first, count) =>
        {
            ulong[] seeds = [.. Enumerable.Range(first, count).Select(i => (ulong)i)];
            PixelSampler.Sample(network, parameters, labels: null, seeds);
        });
        return clock.Elapsed.TotalSeconds;
    }

    /// <summary>Seconds for the first pixels of every image; they cost what later ones do.</summary>
    private static double Naive(PixelCnn network, Parameters parameters, DeviceThreads threads, int images, int pixels)
    {
        double slowest = 0;
        Share(threads, images, (_, count) =>
        {
            using var whole = new WholeNetwork(network, parameters, labels: null, count);
            float[] output = new float[count * network.Shape.Logits], colours = new float[count * network.Shape.Channels];
            float[] noise = new float[network.Shape.Mixtures + network.Shape.Channels];
            whole.BeginRow(0);
            Pixel(0);
            var clock = Stopwatch.StartNew();
            for (int x = 0; x < pixels; x++)
                Pixel(x % network.Shape.Size);
            lock (threads)
                slowest = Math.Max(slowest, clock.Elapsed.TotalSeconds);

            void Pixel(int x)
            {
                whole.Evaluate(x, noise, output);
                for (int n = 0; n < count; n++)
                {
                    MixtureLikelihood.Sample(
                        output.AsSpan(n * network.Shape.Logits, network.Shape.Logits), noise, Temperatures.One,
                        colours.AsSpan(n * network.Shape.Channels, network.Shape.Channels));
                }

                whole.Write(colours);
            }
        });
        return slowest;
    }

    private static void Share(DeviceThreads threads, int images, Action<int, int> draw)
    {
        int parts = Math.Min(threads.Count, images);
        threads.ForEach(parts, (_, part) => draw(images * part / parts, (images * (part + 1) / parts) - (images * part / parts)));
    }
}
