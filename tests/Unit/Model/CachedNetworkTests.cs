using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Kernels.Gpu;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Sampling;
using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Model;

/// <summary>The cached evaluation on the host says at every pixel what the whole network says.</summary>
public sealed class CachedNetworkTests
{
    private const int Images = 3;

    private static readonly NetworkShape AllAtOnce = new()
    {
        Channels = 3,
        Size = 12,
        Classes = 3,
        Blocks = 2,
        Filters = 10,
        Mixtures = 4,
        Nonlinearity = Nonlinearity.Elu,
        Dropout = 0.5,
        CoordinateChannels = true,
        NonLocal = true,
    };

    private static readonly Dictionary<string, NetworkShape> Shapes = new()
    {
        ["plain"] = SamplingNetwork.Plain,
        ["colour"] = SamplingNetwork.Plain with { Channels = 3 },
        ["12 pixels"] = SamplingNetwork.Plain with { Size = 12 },
        ["two blocks"] = SamplingNetwork.Plain with { Blocks = 2 },
        ["no blocks on the up pass"] = SamplingNetwork.Plain with { Blocks = 0 },
        ["many filters"] = SamplingNetwork.Plain with { Filters = 40 },
        ["classes"] = SamplingNetwork.Plain with { Classes = 2 },
        ["coordinates"] = SamplingNetwork.Plain with { CoordinateChannels = true },
        ["attention"] = SamplingNetwork.Plain with { Size = 12, NonLocal = true },
        ["energy distance"] = SamplingNetwork.Plain with { EnergyDistance = true },
        ["elu"] = SamplingNetwork.Plain with { Nonlinearity = Nonlinearity.Elu },
        ["relu"] = SamplingNetwork.Plain with { Nonlinearity = Nonlinearity.Relu },
        ["all at once"] = AllAtOnce,
        ["all at once, energy distance"] = AllAtOnce with
        {
            Blocks = 1,
            Nonlinearity = Nonlinearity.ConcatElu,
            EnergyDistance = true,
        },
    };

    public static TheoryData<string> Names => [.. Shapes.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void AgreesAtEveryPixel(string shapeName) => AssertAgrees(shapeName, kernels: null);

    /// <summary>The network is causal, so its logits for a whole image are those that it gives pixel by pixel.</summary>
    [Theory]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(20)]
    [InlineData(24)]
    [InlineData(28)]
    [InlineData(32)]
    [InlineData(36)]
    [InlineData(40)]
    [InlineData(44)]
    [InlineData(48)]
    [InlineData(52)]
    [InlineData(56)]
    [InlineData(60)]
    [InlineData(64)]
    public void AgreesWithTheLogitsOfWholeImagesOfAnySize(int size)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable none = no_grad();
        using var model = new SamplingNetwork(SamplingNetwork.Plain with { Size = size, NonLocal = true, CoordinateChannels = true });
        using var cached = new CachedNetwork(model.Network, model.Parameters, labels: null, images: 1);
        using var generator = new Generator(2, CPU);
        Tensor image = rand([1, 1, size, size], generator: generator).Times(2).Plus(-1);
        Tensor expected = model.Network.Forward(new ForwardContext(model.Parameters), image);
        Tensor actual = zeros_like(expected);
        float[] logits = new float[model.Network.Shape.Logits];
        for (int y = 0; y < size; y++)
        {
            cached.BeginRow(y);
            for (int x = 0; x < size; x++)
            {
                cached.Evaluate(x, [], logits);
                cached.Write([image[0, 0, y, x].Value<float>()]);
                actual[0, TensorIndex.Colon, y, x].copy_(tensor(logits));
            }
        }

        Assert.InRange(((actual - expected).abs() / expected.abs().Plus(1)).max().Value<float>(), 0, 1e-4f);
    }

    /// <summary>
    /// Feeds the cached evaluation random pixels. The network is causal, so what it says of the whole images is what it says pixel by
    /// pixel.
    /// </summary>
    internal static void AssertAgrees(string shapeName, KernelLibrary? kernels)
    {
        using var model = new SamplingNetwork(Shapes[shapeName]);
        AssertAgrees(model, kernels);
    }

    /// <inheritdoc cref="AssertAgrees(string, KernelLibrary?)"/>
    internal static void AssertAgrees(SamplingNetwork model, KernelLibrary? kernels)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable none = no_grad();
        NetworkShape shape = model.Network.Shape;
        using var generator = new Generator(1, CPU);
        Tensor images = SampleImages(shape.Channels), noise = SampleImages(EnergyHead.NoiseChannels);
        float[] colours = images.Floats(), uniform = noise.Floats(), expected = Outputs(model, images.permute(0, 3, 1, 2), noise).Floats();
        using var cached = new CachedNetwork(model.Network, model.Parameters, model.Labels(0, Images), Images, kernels);
        int outputs = expected.Length / (Images * shape.Size * shape.Size);
        float[] actual = new float[Images * outputs];
        for (int y = 0; y < shape.Size; y++)
        {
            cached.BeginRow(y);
            for (int x = 0; x < shape.Size; x++)
            {
                cached.Evaluate(x, At(uniform, y, x), actual);
                foreach ((int i, float right) in At(expected, y, x).Index())
                {
                    if (!(Math.Abs(right - actual[i]) <= 1e-4 * Math.Max(1, Math.Abs(right))))
                        Assert.Fail($"Output {i} at row {y}, column {x} is {actual[i]}, not {right}.");
                }

                cached.Write(At(colours, y, x));
            }
        }

        Tensor SampleImages(int channels) => rand([Images, shape.Size, shape.Size, channels], generator: generator).Times(2).Plus(-1);

        // Of [images, H, W, ...]
        float[] At(float[] values, int y, int x)
        {
            int pixels = shape.Size * shape.Size, each = values.Length / (Images * pixels);
            return [.. Enumerable.Range(0, Images).SelectMany(
                n => values.AsSpan(((n * pixels) + (y * shape.Size) + x) * each, each).ToArray())];
        }
    }

    /// <summary>What the network says of whole images, [images, H, W, outputs].</summary>
    private static Tensor Outputs(SamplingNetwork model, Tensor images, Tensor noise)
    {
        PixelCnn network = model.Network;
        var context = new ForwardContext(model.Parameters) { Labels = model.Labels(0, Images) };
        if (!network.Shape.EnergyDistance)
            return network.Forward(context, images).permute(0, 2, 3, 1);
        EnergyHead head = network.Layers.Get<EnergyHead>("energy");
        Tensor features = ForwardPass.Activated(network.Features(new ForwardPass(network, context, images)));
        return head.Colours(context, head.Features.Forward(context, features), noise);
    }
}
