using PixelCnnCluster.Model.Kernels.Gpu;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Objectives;
using PixelCnnCluster.Model.Sampling;
using PixelCnnCluster.Model.Tensors;
using PixelCnnCluster.Reference;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Model;

public sealed class PixelSamplerTests
{
    private static readonly NetworkShape Colour = SamplingNetwork.Plain with { Channels = 3, Classes = 2, NonLocal = true };

    public static TheoryData<bool> EnergyDistance => [false, true];

    [Theory]
    [MemberData(nameof(EnergyDistance))]
    public void SamplesWhatTheWholeNetworkSamples(bool energyDistance)
    {
        using DisposeScope scope = NewDisposeScope();
        using var model = new SamplingNetwork(Colour with { EnergyDistance = energyDistance });
        using var whole = new WholeNetwork(model.Network, model.Parameters, model.Labels(0, 2), images: 2);
        byte[] expected = new PixelSampler(whole, model.Network.Shape, SamplingNetwork.Seeds(2)).SampleAll();
        Assert.Equal(expected, model.SampleImages(0, 2));
    }

    [Theory]
    [MemberData(nameof(EnergyDistance))]
    public void SamplesAnImageAlikeInAnyBatch(bool energyDistance)
    {
        using var model = new SamplingNetwork(Colour with { EnergyDistance = energyDistance });
        byte[] all = model.SampleImages(0, 16);
        int image = all.Length / 16;
        foreach ((int first, int count) in new[] { (0, 1), (15, 1), (5, 3), (1, 15) })
            Assert.Equal(all[(first * image)..((first + count) * image)], model.SampleImages(first, count));
        Assert.Equal(16, all.Chunk(image).Select(Convert.ToHexString).Distinct().Count());
    }

    [Fact]
    public void KeepsGivenPixels()
    {
        using DisposeScope scope = NewDisposeScope();
        using var model = new SamplingNetwork(Colour);
        Tensor pixels = randint(0, 256, [3, 3, 8, 8]).to_type(ScalarType.Byte);
        Tensor mask = rand(3, 1, 8, 8).IsBelow(0.5);
        Tensor drawn = tensor(model.SampleImages(0, 3, (pixels, mask)), [3, 3, 8, 8], ScalarType.Byte);
        Tensor free = tensor(model.SampleImages(0, 3), [3, 3, 8, 8], ScalarType.Byte);
        Assert.True(where(mask, drawn.eq(pixels), ones_like(drawn, ScalarType.Bool)).all().Value<bool>());
        Assert.False(drawn.eq(pixels).all().Value<bool>());
        Assert.False(where(mask, ones_like(drawn, ScalarType.Bool), drawn.eq(free)).all().Value<bool>());
    }

    /// <summary>What comes before the first pixel that is missing must not matter to how it was made.</summary>
    [Fact]
    public void CompletesItsOwnImageAsItDrewIt()
    {
        using DisposeScope scope = NewDisposeScope();
        using var model = new SamplingNetwork(Colour);
        byte[] drawn = model.SampleImages(0, 2);
        Tensor mask = zeros([1, 1, 8, 8], ScalarType.Bool);
        mask.narrow(2, 0, 4).copy_(ones([1, 1, 4, 8], ScalarType.Bool));
        Assert.Equal(drawn, model.SampleImages(0, 2, (tensor(drawn, [2, 3, 8, 8], ScalarType.Byte), mask)));
    }

    [Fact]
    public void TemperaturesOfZeroTakeTheMode()
    {
        using var model = new SamplingNetwork(SamplingNetwork.Plain);
        byte[] images = model.SampleImages(0, 3, temperatures: new(Mixture: 0, Logistic: 0));
        Assert.Single(images.Chunk(64).Select(Convert.ToHexString).Distinct());
        foreach (Temperatures one in new Temperatures[] { new(Mixture: 0), new(Logistic: 0) })
            Assert.Equal(3, model.SampleImages(0, 3, temperatures: one).Chunk(64).Select(Convert.ToHexString).Distinct().Count());
    }

    [Fact]
    public void TemperaturesScaleTheNoise()
    {
        float[] logits = [0, 1, 0, 0.5f, -20, -2], noise = [2, 0, 3], colour = new float[1];
        MixtureLikelihood.Sample(logits, noise, Temperatures.One, colour);
        Assert.Equal(Shown(3 * MathF.Exp(-7)), colour[0]);
        MixtureLikelihood.Sample(logits, noise, new(Mixture: 0.25, Logistic: 0.5), colour);
        Assert.Equal(Shown(0.5f + (1.5f * MathF.Exp(-2))), colour[0]);

        static float Shown(float value) => ImageScaling.FromByte(ImageScaling.ToByte(value));
    }

    [Fact]
    public void RefusesTemperaturesThatMeanNothing()
    {
        using var model = new SamplingNetwork(SamplingNetwork.Plain);
        using var energy = new SamplingNetwork(SamplingNetwork.Plain with { EnergyDistance = true });
        Assert.Throws<ArgumentOutOfRangeException>(() => model.SampleImages(0, 1, temperatures: new(Mixture: -1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => model.SampleImages(0, 1, temperatures: new(Logistic: double.NaN)));
        Assert.Throws<ArgumentException>(() => energy.SampleImages(0, 1, temperatures: new(Mixture: 0.5)));
    }

    [Fact]
    public void HandsOutEachRowAsItIsFinished()
    {
        using var model = new SamplingNetwork(Colour);
        using var cached = new CachedNetwork(model.Network, model.Parameters, model.Labels(0, 2), 2);
        var sampler = new PixelSampler(cached, Colour, SamplingNetwork.Seeds(2));
        byte[][] rows = [.. Enumerable.Range(0, 8).Select(_ => sampler.SampleRow())];
        Assert.Equal(8, sampler.Rows);
        for (int plane = 0; plane < 6; plane++)
            Assert.Equal(sampler.Pixels[(plane * 64)..((plane + 1) * 64)], rows.SelectMany(row => row[(plane * 8)..((plane + 1) * 8)]));
    }

    [Fact]
    public void LeavesNoTensorBehind() => AssertLeavesNoTensorBehind(kernels: null);

    internal static void AssertLeavesNoTensorBehind(KernelLibrary? kernels)
    {
        using DisposeScope scope = NewDisposeScope();
        using var model = new SamplingNetwork(Colour);
        Tensor? labels = model.Labels(0, 2);
        SampleImages();
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        SampleImages();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void SampleImages()
        {
            using var cached = new CachedNetwork(model.Network, model.Parameters, labels, 2, kernels);
            new PixelSampler(cached, model.Network.Shape, SamplingNetwork.Seeds(2)).SampleAll();
        }
    }
}
