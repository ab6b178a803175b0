using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Kernels;
using PixelCnnCluster.Training.Devices;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace PixelCnnCluster.Benchmarks;

/// <summary>
/// The convolutions of the network's blocks on one thread of the CPU, ours and the tensor library's in turn, against matrix products
/// between them.
/// </summary>
internal static class Convolutions
{
    private const int Stages = 3, Turns = 20;

    public static Command Command()
    {
        Option<int> filters = new("--filters") { DefaultValueFactory = _ => 32, Description = "Filters of the network, a multiple of 16." };
        Option<int> size = new("--size") { DefaultValueFactory = _ => 28, Description = "Side of the images in pixels, a multiple of 4." };
        Option<int> batch = new("--batch") { DefaultValueFactory = _ => 8, Description = "Images of a thread." };
        var command = new Command(
            "convolutions", "A block's convolutions, ours and the tensor library's, against matrix products.") { filters, size, batch };
        command.Validators.Add(parsed =>
        {
            if (parsed.GetValue(filters) % MatrixProduct.Block != 0 || parsed.GetValue(size) % 4 != 0)
                parsed.AddError($"--filters must be a multiple of {MatrixProduct.Block} and --size of 4.");
        });
        command.SetAction(parsed =>
        {
            using var threads = new DeviceThreads(1);
            int count = parsed.GetValue(filters);
            threads.RunAsync(() =>
            {
                for (int side = parsed.GetValue(size), stage = 0; stage < Stages; stage++, side /= 2)
                {
                    for (int outputs = count; outputs <= 2 * count; outputs += count)
                    {
                        Measure(threads, parsed.GetValue(batch), side, 2 * count, outputs, new(1, 1, 1));
                        Measure(threads, parsed.GetValue(batch), side, 2 * count, outputs, new(1, 1, 0));
                    }

                    Measure(threads, parsed.GetValue(batch), side, 2 * count, count, ImagePadding.None);
                }

                return true;
            }).GetAwaiter().GetResult();
        });
        return command;
    }

    private static void Measure(DeviceThreads threads, int batch, int side, int inputs, int outputs, ImagePadding padding)
    {
        using DisposeScope scope = NewDisposeScope();
        int height = 1 + padding.Top, width = 1 + padding.Left + padding.Right;
        Tensor image = padding.Apply(randn(batch, side, side, inputs)).requires_grad_(true), slope = randn(batch, side, side, outputs);
        Tensor weight = randn(outputs, inputs, height, width).requires_grad_(true), bias = zeros(outputs).requires_grad_(true);
        Func<Tensor> library = padding == ImagePadding.None
            ? () => F.linear(image, weight.view(outputs, inputs), bias)
            : () => F.conv2d(image.permute(0, 3, 1, 2), weight, bias).permute(0, 2, 3, 1);
        Func<Tensor> direct = () => DirectConvolution.Apply(image, weight, bias, padding);

        List<(double Forward, double Backward)> librarys = [], directs = [];
        List<double> products = [];
        for (int turn = -3; turn < Turns; turn++)
        {
            (double, double) one = Seconds(library, slope, image, weight, bias), other = Seconds(direct, slope, image, weight, bias);
            double product = TrainStep.ProductSeconds(TrainStep.CpuProduct, Precision.Float32, threads);
            if (turn < 0)
                continue;
            librarys.Add(one);
            directs.Add(other);
            products.Add(product);
        }

        double operations = 2.0 * batch * side * side * height * width * inputs * outputs;
        double Rate(IEnumerable<double> seconds, double passes) => Math.Round(passes * operations / seconds.Median() / 1e9, 1);
        Console.WriteLine(JsonSerializer.Serialize(new
        {
            filter = $"{height}x{width}",
            side,
            inputs,
            outputs,
            library_forward_gflops = Rate(librarys.Select(run => run.Forward), 1),
            library_backward_gflops = Rate(librarys.Select(run => run.Backward), 2),
            direct_forward_gflops = Rate(directs.Select(run => run.Forward), 1),
            direct_backward_gflops = Rate(directs.Select(run => run.Backward), 2),
            gemm_gflops = Math.Round(2.0 * TrainStep.CpuProduct * TrainStep.CpuProduct * TrainStep.CpuProduct / products.Median() / 1e9, 1),
        }));
    }

    private static (double Forward, double Backward) Seconds(Func<Tensor> convolve, Tensor slope, params Tensor[] leaves)
    {
        using DisposeScope scope = NewDisposeScope();
        var clock = Stopwatch.StartNew();
        Tensor output = convolve();
        double forward = clock.Elapsed.TotalSeconds;
        output.backward([slope]);
        double backward = clock.Elapsed.TotalSeconds - forward;
        foreach (Tensor leaf in leaves)
            leaf.grad = null;
        return (forward, backward);
    }
}
