using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Objectives;
using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Model;

/// <summary>The discretised mixture of logistics is a distribution over the 256 values of each channel in turn.</summary>
public sealed class LikelihoodTests
{
    /// <summary>
    /// The density stands for the bin's mass where that is below 1e-5, which falls short by up to as much on either side of the
    /// mean: no more than 2e-5 of a sharp component's mass. The rest is the rounding of 256 floats.
    /// </summary>
    private const double FarFromMean = 4e-5;

    [Theory]
    [InlineData(0.3, FarFromMean)]
    [InlineData(1, FarFromMean)]
    [InlineData(5, FarFromMean)]
    [InlineData(100, FarFromMean)]
    [InlineData(1e4, FarFromMean)]
    public void Probabilities_of_all_grey_values_sum_to_one(double size, double tolerance)
    {
        using DisposeScope scope = NewDisposeScope();
        using var generator = new Generator(5, CPU);
        Tensor logits = randn([200, 3 * 4, 1, 1], generator: generator).Times(size).expand(200, 12, 1, 256);
        float[] sums = MixtureLikelihood.LogProbability(logits, AllValues().expand(200, 1, 1, 256)).to_type(ScalarType.Float64).exp()
            .sum(-1).to_type(ScalarType.Float32).Floats();
        Assert.All(sums, sum => Assert.InRange(sum, 1 - tolerance, 1 + tolerance));
    }

    /// <summary>Fails if a channel is conditioned on itself or on one that comes later.</summary>
    [Fact]
    public void Probabilities_of_colours_sum_to_those_of_red_which_is_independent_of_green_and_blue() =>
        AssertColoursAreDistributed(redsApart: 17);

    [Fact(Explicit = true)]
    [Trait("Needs", "time")]
    public void Probabilities_of_all_colours_sum_to_one_and_red_is_independent_of_green_and_blue() =>
        AssertColoursAreDistributed(redsApart: 1);

    private static void AssertColoursAreDistributed(int redsApart)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable none = no_grad();
        // One component: weight, then mean, log-scale and coefficient for red, green and blue.
        float[] red = [-0.3f, -2f], green = [0.2f, -1.5f], blue = [0.1f, -1f];
        const float GreenOnRed = 0.8f, BlueOnRed = -0.7f, BlueOnGreen = 1.1f;
        Tensor logits = tensor([0.4f, .. red, GreenOnRed, .. green, BlueOnRed, .. blue, BlueOnGreen], [1, 10, 1, 1])
            .expand(1, 10, 256, 256);
        float[] redProbabilities = Grey(red[0], red[1]);
        Tensor values = AllValues();
        Tensor greens = values.view(1, 1, 256, 1).expand(1, 1, 256, 256), blues = values.expand(1, 1, 256, 256);
        double total = 0, expected = 0;
        for (int r = 0; r < 256; r += redsApart)
        {
            using DisposeScope plane = NewDisposeScope();
            Tensor reds = values.narrow(3, r, 1).expand(1, 1, 256, 256);
            Tensor overBlue = MixtureLikelihood.LogProbability(logits, cat([reds, greens, blues], 1)).exp().sum(-1).flatten();
            float sum = overBlue.sum().Value<float>();
            total += sum;
            expected += redProbabilities[r];
            Assert.InRange(sum, redProbabilities[r] * (1 - FarFromMean), redProbabilities[r] * (1 + FarFromMean));
            if (r % 51 > 0)
                continue;
            float[] given = Grey(green[0] + (MathF.Tanh(GreenOnRed) * ((r - 127.5f) / 127.5f)), green[1]), joint = overBlue.Floats();
            Assert.All(Enumerable.Range(0, 256), g => Assert.Equal(1, joint[g] / (redProbabilities[r] * given[g]), 3e-4f));
        }

        Assert.Equal(expected, total, FarFromMean);
        Assert.Equal(1, redProbabilities.Sum(), FarFromMean);
    }

    [Fact]
    public void Interior_and_edge_values_follow_the_definition()
    {
        using DisposeScope scope = NewDisposeScope();
        (double Weight, double Mean, double LogScale)[] components = [(0.5, -0.4, -1.5), (-0.3, 0.6, -2.5)];
        Tensor logits = tensor(new[] { 0.5f, -0.3f, -0.4f, 0.6f, -1.5f, -2.5f }, [1, 6, 1, 1]).expand(1, 6, 1, 256);
        float[] found = MixtureLikelihood.LogProbability(logits, AllValues()).exp().Floats();
        double weights = components.Sum(c => Math.Exp(c.Weight));
        for (int value = 0; value < 256; value++)
        {
            double x = (value - 127.5) / 127.5;
            double expected = components.Sum(c =>
            {
                double below = value == 0 ? 0 : Sigmoid((x - c.Mean - (1 / 255.0)) / Math.Exp(c.LogScale));
                double upTo = value == 255 ? 1 : Sigmoid((x - c.Mean + (1 / 255.0)) / Math.Exp(c.LogScale));
                return Math.Exp(c.Weight) / weights * (upTo - below);
            });
            Assert.Equal(expected, found[value], 1e-5 * expected);
        }

        static double Sigmoid(double z) => 1 / (1 + Math.Exp(-z));
    }

    [Theory]
    [InlineData(1, Objective.Likelihood, 0)]
    [InlineData(3, Objective.Likelihood, 0)]
    [InlineData(1, Objective.Focal, 2)]
    [InlineData(3, Objective.Focal, 0.5)]
    public void Loss_and_gradient_are_finite_at_extreme_logits(int channels, Objective objective, double gamma)
    {
        using DisposeScope scope = NewDisposeScope();
        // Log-scales count as no less than -7 and no more than 70; besides far beyond them, those just within have to do.
        float[] extremes = [-1e4f, -50, 0, 50, 1e4f], logScales = [.. extremes, -7.1f, -6.9f, 69, 72, 85, 95, 99.5f, 110];
        Tensor values = ImageScaling.FromBytes(tensor(new byte[] { 0, 1, 128, 254, 255 }, [1, 1, 1, 5]));
        // Mean, log-scale and weight of the first of two components; the second stays moderate or is as extreme the other way.
        foreach (float mean in extremes)
        {
            foreach (float logScale in logScales)
            {
                foreach (float weight in extremes)
                {
                    using DisposeScope one = NewDisposeScope();
                    foreach (float other in new[] { 0f, -1f })
                    {
                        float[] component = [mean, other * mean, logScale, other * logScale];
                        float[] logits = channels == 1
                            ? [weight, other * weight, .. component]
                            : [weight, other * weight,
                                .. Enumerable.Repeat<float[]>([.. component, mean, -mean], 3).SelectMany(group => group)];
                        Tensor leaf = tensor(logits, [1, logits.Length, 1, 1]).expand(1, logits.Length, 1, 5).contiguous()
                            .requires_grad_(true);
                        Tensor loss = Losses.Sum(objective, leaf, values.expand(1, channels, 1, 5), gamma);
                        loss.backward();
                        Assert.True(
                            float.IsFinite(loss.Value<float>()) && leaf.grad!.isfinite().all().Value<bool>(),
                            $"mean {mean}, log-scale {logScale}, weight {weight}, other {other}: loss {loss.Value<float>()}");
                    }
                }
            }
        }
    }

    /// <summary>[1, 1, 1, 256]</summary>
    private static Tensor AllValues() => ImageScaling.FromBytes(arange(256).view(1, 1, 1, 256));

    /// <summary>Probability of each grey value under one logistic.</summary>
    private static float[] Grey(float mean, float logScale)
    {
        Tensor logits = tensor(new[] { 0, mean, logScale }, [1, 3, 1, 1]).expand(1, 3, 1, 256);
        return MixtureLikelihood.LogProbability(logits, AllValues()).exp().Floats();
    }
}
