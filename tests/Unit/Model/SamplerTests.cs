using PixelCnnCluster.Model.Objectives;
using PixelCnnCluster.Model.Sampling;
using PixelCnnCluster.Model.Tensors;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Model;

/// <summary>Sampling: the same seed gives the same image, and images follow the mixture.</summary>
public sealed class SamplerTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void The_same_seed_gives_the_same_image_in_any_batch(int channels)
    {
        using TorchSharp.DisposeScope scope = NewDisposeScope();
        using var tiny = new TinyNetwork(TinyNetwork.Shape with { Channels = channels });
        byte[] together = SampleImages(tiny, null, 11, 12, 13);
        int image = together.Length / 3;
        Assert.Equal(together[..image], SampleImages(tiny, null, 11));
        Assert.Equal(together[image..], SampleImages(tiny, null, 12, 13));
        Assert.Equal(together[(2 * image)..], SampleImages(tiny, null, 13));
        Assert.NotEqual(together[..image], together[image..(2 * image)]);
    }

    [Fact]
    public void The_same_seed_gives_the_same_image_also_by_energy_distance()
    {
        using TorchSharp.DisposeScope scope = NewDisposeScope();
        using var tiny = new TinyNetwork(TinyNetwork.Shape with { EnergyDistance = true });
        byte[] together = SampleImages(tiny, null, 11, 12, 13);
        Assert.Equal(together[..64], SampleImages(tiny, null, 11));
        Assert.Equal(together[64..128], SampleImages(tiny, null, 12));
        Assert.NotEqual(together[..64], together[64..128]);
    }

    [Fact]
    public void Labels_change_the_image()
    {
        using TorchSharp.DisposeScope scope = NewDisposeScope();
        using var tiny = new TinyNetwork(TinyNetwork.Shape with { Classes = 3 });
        byte[] images = SampleImages(tiny, tensor(new long[] { 0, 2, 0 }), 11, 11, 11);
        Assert.NotEqual(images[..64], images[64..128]);
        Assert.Equal(images[..64], images[128..]);
    }

    [Fact]
    public void Grey_samples_follow_the_mixture()
    {
        using TorchSharp.DisposeScope scope = NewDisposeScope();
        // Three components: broad, sharp, and one that spills over the upper edge.
        Tensor logits = tensor(new[] { 0.2f, -0.5f, 0.1f, -0.4f, 0.2f, 0.95f, -1.8f, -4f, -2f }, [1, 9, 1, 1]);
        AssertFollows(Probabilities(logits), Sampled(logits, channels: 1, seed: 3).Select(pixel => pixel[0]));
    }

    [Fact]
    public void Each_colour_follows_its_conditional()
    {
        using TorchSharp.DisposeScope scope = NewDisposeScope();
        // Red hardly varies, so green's and blue's conditional means are known.
        const float Red = (90 - 127.5f) / 127.5f, GreenOnRed = 0.9f, BlueOnRed = -0.4f, BlueOnGreen = 1.2f;
        Tensor logits = tensor(new[] { 0, Red, -9, GreenOnRed, 0.1f, -2.5f, BlueOnRed, -0.2f, -3, BlueOnGreen }, [1, 10, 1, 1]);
        int[][] pixels = Sampled(logits, channels: 3, seed: 4);
        Assert.All(pixels, pixel => Assert.InRange(pixel[0], 88, 92));
        AssertFollows(Grey(0.1f + (MathF.Tanh(GreenOnRed) * Red), -2.5f), pixels.Select(pixel => pixel[1]));
        int green = pixels.GroupBy(pixel => pixel[1]).MaxBy(group => group.Count())!.Key;
        float mean = -0.2f + (MathF.Tanh(BlueOnRed) * Red) + (MathF.Tanh(BlueOnGreen) * ((green - 127.5f) / 127.5f));
        AssertFollows(Grey(mean, -3), pixels.Where(pixel => pixel[1] == green).Select(pixel => pixel[2]));
    }

    /// <summary>As the likelihood has it: green's mean is of red's byte, and not of the number that the byte was rounded from.</summary>
    [Fact]
    public void A_colour_follows_the_byte_of_the_colour_before_it()
    {
        using TorchSharp.DisposeScope scope = NewDisposeScope();
        // Red is broad, and green so sharp that half a byte of red would move it.
        Tensor logits = tensor(new[] { 0, 0, -1, 9f, 0, -7, 0, 0, -2, 0 }, [1, 10, 1, 1]);
        foreach (IGrouping<int, int[]> red in Sampled(logits, channels: 3, seed: 5).GroupBy(pixel => pixel[0])
            .Where(group => group.Key is > 0 and < 255).OrderByDescending(group => group.Count()).Take(5))
            AssertFollows(Grey(MathF.Tanh(9) * ((red.Key - 127.5f) / 127.5f), -7), red.Select(pixel => pixel[1]));
    }

    /// <summary>Bytes of many samples of one pixel.</summary>
    private static int[][] Sampled(Tensor logits, int channels, ulong seed)
    {
        const int Count = 100_000;
        var random = new Random((int)seed);
        float[] parameters = logits.flatten().Floats();
        int components = parameters.Length / (channels == 1 ? 3 : 10);
        float[] noise = new float[components + channels], colours = new float[channels];
        return [.. Enumerable.Range(0, Count).Select(_ =>
        {
            for (int i = 0; i < noise.Length; i++)
            {
                float u = Math.Clamp(random.NextSingle(), 1e-5f, 1 - 1e-5f);
                noise[i] = i < components ? -MathF.Log(-MathF.Log(u)) : MathF.Log(u) - MathF.Log(1 - u);
            }

            MixtureLikelihood.Sample(parameters, noise, Temperatures.One, colours);
            return colours.Select(colour => (int)ImageScaling.ToByte(colour)).ToArray();
        })];
    }

    private static double[] Grey(float mean, float logScale) => Probabilities(tensor(new[] { 0, mean, logScale }, [1, 3, 1, 1]));

    private static double[] Probabilities(Tensor logits)
    {
        Tensor values = ImageScaling.FromBytes(arange(256).view(1, 1, 1, 256));
        return [.. MixtureLikelihood.LogProbability(logits.expand(1, logits.shape[1], 1, 256), values).exp().Floats()
            .Select(p => (double)p)];
    }

    /// <summary>
    /// Pearson's chi-square over values that are expected ten times or more, the others together; six deviations above its mean are too
    /// many.
    /// </summary>
    private static void AssertFollows(double[] probabilities, IEnumerable<int> values)
    {
        double[] counts = new double[256];
        foreach (int value in values)
            counts[value]++;
        double total = counts.Sum(), square = 0, restCount = total, rest = total;
        int cells = 1;
        for (int value = 0; value < 256; value++)
        {
            double expected = probabilities[value] * total;
            if (expected < 10)
                continue;
            square += (counts[value] - expected) * (counts[value] - expected) / expected;
            restCount -= counts[value];
            rest -= expected;
            cells++;
        }

        square += (restCount - rest) * (restCount - rest) / Math.Max(10, rest);
        Assert.InRange(square, 0, cells + (6 * Math.Sqrt(2 * cells)));
    }

    private static byte[] SampleImages(TinyNetwork tiny, Tensor? labels, params ulong[] seeds) =>
        PixelSampler.Sample(tiny.Network, tiny.Parameters, labels, seeds);
}
