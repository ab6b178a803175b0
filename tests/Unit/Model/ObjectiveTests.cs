using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model;
using static TorchSharp.torch;

namespace PixelCnnCluster.Tests.Model;

/// <summary>What training minimises, worked out by hand.</summary>
public sealed class ObjectiveTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Focal_loss_with_gamma_zero_is_the_likelihood(int channels)
    {
        using var scope = NewDisposeScope();
        using var tiny = new TinyNetwork(TinyNetwork.Shape with { Channels = channels });
        Tensor images = tiny.Images(2), output = tiny.Forward(images);
        Assert.Equal(
            Losses.Sum(Objective.Likelihood, output, images, 0).Value<float>(), Losses.Sum(Objective.Focal, output, images, 0).Value<float>(), 1e-2f);
    }

    [Theory]
    [InlineData(0.5)]
    [InlineData(2)]
    [InlineData(5)]
    public void Focal_loss_weighs_each_pixel_by_what_it_lacks_of_certainty(double gamma)
    {
        using var scope = NewDisposeScope();
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
        using var scope = NewDisposeScope();
        using var tiny = new TinyNetwork(TinyNetwork.Shape with { Channels = 3 });
        Tensor images = tiny.Images(3), output = tiny.Forward(images);
        foreach (Objective objective in new[] { Objective.Likelihood, Objective.Focal })
        {
            float parts = Enumerable.Range(0, 3).Sum(i => Losses.Sum(objective, output.narrow(0, i, 1), images.narrow(0, i, 1), 2).Value<float>());
            Assert.Equal(1, Losses.Sum(objective, output, images, 2).Value<float>() / parts, 1e-5f);
        }
    }

    [Theory]
    // E|x - y| - E|y - y'| / 2, with y and y' two different samples.
    [InlineData(new[] { 0.5f, -0.5f }, 0f, 0.5 - (1.0 / 2))]
    [InlineData(new[] { 0.5f, -0.5f }, 0.9f, 0.9 - (1.0 / 2))]
    [InlineData(new[] { 0.2f, 0.2f, 0.8f }, 0.2f, 0.2 - (0.4 / 2))]
    [InlineData(new[] { 0f, 0.3f, 0.9f }, -1f, 1.4 - (0.6 / 2))]
    public void Energy_distance_is_the_unbiased_form(float[] samples, float pixel, double expected)
    {
        using var scope = NewDisposeScope();
        Tensor output = tensor(samples, [samples.Length, 1, 1, 1, 1]), image = full([1, 1, 1, 1], pixel);
        Assert.Equal(expected, Losses.Sum(Objective.EnergyDistance, output, image, 0).Value<float>(), 2e-4);
    }

    [Fact]
    public void Energy_distance_takes_a_colour_as_one_vector()
    {
        using var scope = NewDisposeScope();
        Tensor output = tensor(new[] { 0.3f, 0.4f, 0, -0.3f, -0.4f, 0 }, [2, 1, 3, 1, 1]);
        // Each sample is 0.5 from black's middle and 1 from the other.
        Assert.Equal(0.5 - (1.0 / 2), Losses.Sum(Objective.EnergyDistance, output, zeros(1, 3, 1, 1), 0).Value<float>(), 2e-4);
        Tensor image = tensor(new[] { 0.3f, 0.4f, 1 }, [1, 3, 1, 1]);
        Assert.Equal(((1 + Math.Sqrt(2)) / 2) - 0.5, Losses.Sum(Objective.EnergyDistance, output, image, 0).Value<float>(), 2e-4);
    }

    [Fact]
    public void Energy_distance_is_lower_for_samples_near_the_image()
    {
        using var scope = NewDisposeScope();
        Tensor images = TinyNetwork.RandomImages(1, 2, 3, 8, 8), noise = randn([10, 2, 3, 8, 8]).Times(0.1);
        float[] losses = [.. new[] { 0, 0.3, 1 }.Select(shift =>
            Losses.Sum(Objective.EnergyDistance, images.unsqueeze(0).Plus(noise).Plus(shift), images, 0).Value<float>())];
        Assert.True(losses[0] < losses[1] && losses[1] < losses[2], string.Join(", ", losses));
    }

    [Fact]
    public void Energy_distance_has_finite_gradients_where_samples_agree()
    {
        using var scope = NewDisposeScope();
        Tensor samples = zeros([10, 1, 3, 4, 4]).requires_grad_(true);
        Losses.Sum(Objective.EnergyDistance, samples, zeros(1, 3, 4, 4), 0).backward();
        Assert.True(samples.grad!.isfinite().all().Value<bool>());
    }
}
