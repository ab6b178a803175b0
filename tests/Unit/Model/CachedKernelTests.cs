using PixelCnnCluster.Model.Sampling;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Model;

/// <summary>The cached evaluation with the kernels of GPUs says at every pixel what the whole network says.</summary>
[Trait("Needs", "processes")]
public sealed class CachedKernelTests
{
    [Theory]
    [MemberData(nameof(CachedNetworkTests.Names), MemberType = typeof(CachedNetworkTests))]
    public void AgreesAtEveryPixel(string shapeName) => CachedNetworkTests.AssertAgrees(shapeName, new EmulatedKernels());

    /// <summary>
    /// The kernels of GPUs add up in the same order, whatever else they have to do. The first and the last image are the same.
    /// </summary>
    [Fact]
    public void An_images_logits_are_the_same_bits_in_any_batch()
    {
        using DisposeScope scope = NewDisposeScope();
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

    [Fact]
    public void LeavesNoTensorBehind() => PixelSamplerTests.AssertLeavesNoTensorBehind(new EmulatedKernels());
}
