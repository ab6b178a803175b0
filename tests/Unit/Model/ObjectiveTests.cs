using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Objectives;
using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Model;

/// <summary>What training minimises, worked out by hand.</summary>
public sealed class ObjectiveTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Focal_loss_with_gamma_zero_is_the_likelihood(int channels)
    {
        using DisposeScope scope = NewDisposeScope();
        using var tiny = new TinyNetwork(TinyNetwork.Shape with { Channels = channels });
        Tensor images = tiny.Images(2), output = tiny.Forward(images);
        Assert.Equal(
            Losses.Sum(Objective.Likelihood, output, images, 0).Value<float>(),
            Losses.Sum(Objective.Focal, output, images, 0).Value<float>(), 1e-2f);
    }

    [Theory]
    [InlineData(0.5)]
    [InlineData(2)]
    [InlineData(5)]
    public void Focal_loss_weighs_each_pixel_by_what_it_lacks_of_certainty(double gamma)
    {
        using DisposeScope scope = NewDisposeScope();
        // One logistic of mean 0.1: at the mean, beside it and far from it.
        (double mean, double logScale) = (0.1, -4);
        byte[] bytes = [140, 143, 170];
        double expected = bytes.Sum(value =>
        {
            double x = ((value - 127.5) / 127.5) - mean, scale = Math.Exp(logScale);
            double p = (1 / (1 + Math.Exp(-(x + (1 / 255.0)) / scale))) - (1 / (1 + Math.Exp(-(x - (1 / 255.0)) / scale)));
            return -Math.Pow(1 - p, gamma) * Math.Log(p);
        });
        Tensor logits = tensor(new[] { 0, (float)mean, (float)logScale }, [1, 3, 1, 1]).expand(1, 3, 1, 3);
        Tensor images = ImageScaling.FromBytes(tensor(bytes, [1, 1, 1, 3]));
        Assert.Equal(expected, Losses.Sum(Objective.Focal, logits, images, gamma).Value<float>(), 1e-3 * expected);
    }

    [Fact]
    public void Losses_are_sums_over_the_batch()
    {
        using DisposeScope scope = NewDisposeScope();
        using var tiny = new TinyNetwork(TinyNetwork.Shape with { Channels = 3 });
        Tensor images = tiny.Images(3), output = tiny.Forward(images);
        foreach (Objective objective in new[] { Objective.Likelihood, Objective.Focal })
        {
            float parts = Enumerable.Range(0, 3).Sum(
                i => Losses.Sum(objective, output.narrow(0, i, 1), images.narrow(0, i, 1), 2).Value<float>());
            Assert.Equal(1, Losses.Sum(objective, output, images, 2).Value<float>() / parts, 1e-5f);
        }
    }

    /// <summary>2 E|x - y|^1.5 - E|y - y'|^1.5 in bytes, with y and y' two different samples, by plain loops over doubles.</summary>
    [Theory]
    [InlineData(1, new[] { 0.5f, -0.5f }, new[] { 0f })]
    [InlineData(1, new[] { 0.5f, -0.5f }, new[] { 0.9f })]
    [InlineData(1, new[] { 0.2f, 0.2f, 0.8f }, new[] { 0.2f })]
    [InlineData(1, new[] { 0f, 0.3f, 0.9f }, new[] { -1f })]
    [InlineData(3, new[] { 0.3f, 0.4f, 0, -0.3f, -0.4f, 0 }, new[] { 0f, 0, 0 })]
    [InlineData(3, new[] { 0.3f, 0.4f, 0, -0.3f, -0.4f, 0.1f, 0.7f, 0.2f, -0.9f }, new[] { 0.3f, 0.4f, 1 })]
    public void Energy_distance_is_the_originals_in_its_unbiased_form(int channels, float[] samples, float[] pixel)
    {
        using DisposeScope scope = NewDisposeScope();
        float[][] each = [.. samples.Chunk(channels)];
        double toPixel = each.Average(sample => Distance(sample, pixel)), between = 0;
        for (int i = 0; i < each.Length; i++)
            between += each.Where((_, j) => j != i).Sum(other => Distance(each[i], other));
        double expected = (2 * toPixel) - (between / (each.Length * (each.Length - 1)));

        Tensor output = tensor(samples, [each.Length, 1, channels, 1, 1]), image = tensor(pixel, [1, channels, 1, 1]);
        Assert.Equal(expected, Losses.Sum(Objective.EnergyDistance, output, image, 0).Value<float>(), 1e-5 * toPixel);

        static double Distance(float[] one, float[] other) =>
            Math.Pow(1e-10 + one.Zip(other, (a, b) => Math.Pow(127.5 * ((double)a - b), 2)).Sum(), 0.75);
    }

    [Fact]
    public void Energy_distance_is_lower_for_samples_near_the_image()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor images = TinyNetwork.RandomImages(1, 2, 3, 8, 8), noise = randn([10, 2, 3, 8, 8]).Times(0.1);
        float[] losses = [.. new[] { 0, 0.3, 1 }.Select(shift =>
            Losses.Sum(Objective.EnergyDistance, images.unsqueeze(0).Plus(noise).Plus(shift), images, 0).Value<float>())];
        Assert.True(losses[0] < losses[1] && losses[1] < losses[2], string.Join(", ", losses));
    }

    [Fact]
    public void Energy_distance_has_finite_gradients_where_samples_agree()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor samples = zeros([10, 1, 3, 4, 4]).requires_grad_(true);
        Losses.Sum(Objective.EnergyDistance, samples, zeros(1, 3, 4, 4), 0).backward();
        Assert.True(samples.grad!.isfinite().all().Value<bool>());
    }
}
