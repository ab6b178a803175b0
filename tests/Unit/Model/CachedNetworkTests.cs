using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Sampling;
using static TorchSharp.torch;

namespace PixelCnnCluster.Tests.Model;

/// <summary>The cached evaluation says at every pixel what the whole network says.</summary>
public sealed class CachedNetworkTests
{
    private const int Images = 3;

    private static readonly Dictionary<string, NetworkShape> Shapes = new()
    {
        ["plain"] = SamplingNetwork.Plain,
        ["colour"] = SamplingNetwork.Plain with { Channels = 3 },
        ["12 pixels"] = SamplingNetwork.Plain with { Size = 12 },
        ["two blocks"] = SamplingNetwork.Plain with { Blocks = 2 },
        ["no blocks on the way up"] = SamplingNetwork.Plain with { Blocks = 0 },
        ["many filters"] = SamplingNetwork.Plain with { Filters = 40 },
        ["classes"] = SamplingNetwork.Plain with { Classes = 2 },
        ["coordinates"] = SamplingNetwork.Plain with { CoordinateChannels = true },
        ["attention"] = SamplingNetwork.Plain with { Size = 12, NonLocal = true },
        ["energy distance"] = SamplingNetwork.Plain with { EnergyDistance = true },
        ["elu"] = SamplingNetwork.Plain with { Nonlinearity = Nonlinearity.Elu },
        ["relu"] = SamplingNetwork.Plain with { Nonlinearity = Nonlinearity.Relu },
        ["all at once"] = new(3, 12, 3, 2, 10, 4, Nonlinearity.Elu, 0.5, CoordinateChannels: true, NonLocal: true, EnergyDistance: false),
        ["all at once, energy distance"] = new(3, 12, 3, 1, 10, 4, Nonlinearity.ConcatElu, 0.5, CoordinateChannels: true, NonLocal: true, EnergyDistance: true),
    };

    /// <summary>On the host, and with the kernels of GPUs.</summary>
    public static TheoryData<string, bool> Cases => [.. Shapes.Keys.SelectMany(name => new[] { (name, false), (name, true) })];

    [Theory]
    [MemberData(nameof(Cases))]
    public void AgreesAtEveryPixel(string shapeName, bool kernels)
    {
        using var scope = NewDisposeScope();
        using var model = new SamplingNetwork(Shapes[shapeName]);
        using var cached = new CachedNetwork(model.Network, model.Parameters, model.Labels(0, Images), Images, kernels ? new EmulatedKernels() : null);
        using var whole = new WholeNetwork(model.Network, model.Parameters, model.Labels(0, Images), Images);
        AssertAgree(model.Network.Shape, whole, cached);
    }

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
        using var scope = NewDisposeScope();
        using var none = no_grad();
        using var model = new SamplingNetwork(SamplingNetwork.Plain with { Size = size, NonLocal = true, CoordinateChannels = true });
        using var cached = new CachedNetwork(model.Network, model.Parameters, labels: null, images: 1);
        using var generator = new Generator(2, CPU);
        Tensor image = rand([1, 1, size, size], generator: generator).Times(2).Plus(-1);
        Tensor expected = model.Network.Forward(new Pass(model.Parameters), image);
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

    /// <summary>The kernels of GPUs add up in the same order, whatever else they have to do. The first and the last image are the same.</summary>
    [Fact]
    public void An_images_logits_are_the_same_bits_in_any_batch()
    {
        using var scope = NewDisposeScope();
        using var model = new SamplingNetwork(SamplingNetwork.Plain);
        using CachedNetwork alone = Cached(1), among = Cached(19);
        int outputs = model.Network.Shape.Logits, size = model.Network.Shape.Size;
        float[] expected = new float[outputs], all = new float[19 * outputs], colours = new float[19];
        var random = new Random(1);
        for (int y = 0; y < size; y++)
        {
            alone.BeginRow(y);
            among.BeginRow(y);
            for (int x = 0; x < size; x++)
            {
                alone.Evaluate(x, [], expected);
                among.Evaluate(x, [], all);
                Assert.Equal(expected, all[..outputs]);
                Assert.Equal(expected, all[^outputs..]);
                for (int n = 0; n < 19; n++)
                    colours[n] = (2 * random.NextSingle()) - 1;
                colours[0] = colours[^1];
                alone.Write(colours.AsSpan(0, 1));
                among.Write(colours);
            }
        }

        CachedNetwork Cached(int images) => new(model.Network, model.Parameters, labels: null, images, new EmulatedKernels());
    }

    /// <summary>Feeds both the same random pixels.</summary>
    private static void AssertAgree(NetworkShape shape, WholeNetwork whole, CachedNetwork cached)
    {
        int outputs = shape.EnergyDistance ? shape.Channels : shape.Logits;
        float[] expected = new float[Images * outputs], actual = new float[Images * outputs];
        float[] noise = new float[Images * 4], colours = new float[Images * shape.Channels];
        var random = new Random(1);
        for (int y = 0; y < shape.Size; y++)
        {
            whole.BeginRow(y);
            cached.BeginRow(y);
            for (int x = 0; x < shape.Size; x++)
            {
                Fill(noise);
                Fill(colours);
                whole.Evaluate(x, noise, expected);
                cached.Evaluate(x, noise, actual);
                for (int i = 0; i < expected.Length; i++)
                {
                    if (!(Math.Abs(expected[i] - actual[i]) <= 1e-4 * Math.Max(1, Math.Abs(expected[i]))))
                        Assert.Fail($"Output {i} at row {y}, column {x} is {actual[i]}, not {expected[i]}.");
                }

                whole.Write(colours);
                cached.Write(colours);
            }
        }

        void Fill(float[] values)
        {
            for (int i = 0; i < values.Length; i++)
                values[i] = (2 * random.NextSingle()) - 1;
        }
    }
}
