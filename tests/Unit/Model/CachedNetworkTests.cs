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
        ["28 pixels"] = SamplingNetwork.Plain with { Size = 28 },
        ["two blocks"] = SamplingNetwork.Plain with { Blocks = 2 },
        ["many filters"] = SamplingNetwork.Plain with { Filters = 40 },
        ["classes"] = SamplingNetwork.Plain with { Classes = 2 },
        ["coordinates"] = SamplingNetwork.Plain with { CoordinateChannels = true },
        ["attention"] = SamplingNetwork.Plain with { Size = 16, NonLocal = true },
        ["energy distance"] = SamplingNetwork.Plain with { EnergyDistance = true },
        ["elu"] = SamplingNetwork.Plain with { Nonlinearity = Nonlinearity.Elu },
        ["relu"] = SamplingNetwork.Plain with { Nonlinearity = Nonlinearity.Relu },
        ["all at once"] = new(3, 16, 3, 2, 10, 4, Nonlinearity.Elu, 0.5, CoordinateChannels: true, NonLocal: true, EnergyDistance: false),
        ["all at once, energy distance"] = new(3, 16, 3, 1, 10, 4, Nonlinearity.ConcatElu, 0.5, CoordinateChannels: true, NonLocal: true, EnergyDistance: true),
    };

    public static TheoryData<string, bool> Cases => [.. Shapes.Keys.SelectMany(name => new[] { (name, true), (name, false) })];

    [Theory]
    [MemberData(nameof(Cases))]
    public void AgreesAtEveryPixel(string shapeName, bool fused)
    {
        using var scope = NewDisposeScope();
        using var model = new SamplingNetwork(Shapes[shapeName]);
        using var cached = new CachedNetwork(model.Network, model.Parameters, model.Labels(0, Images), Images, fused);
        using var whole = new WholeNetwork(model.Network, model.Parameters, model.Labels(0, Images), Images);
        AssertAgree(model.Network.Shape, whole, cached);
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
