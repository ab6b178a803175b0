using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace PixelCnnCluster.Model;

/// <summary>
/// Discretised mixture of logistics (arXiv 1701.05517, section 2.1), one implementation for grey and colour images. Colour
/// channels are conditioned on those before them through coefficients on the means.
/// </summary>
public static class MixtureLikelihood
{
    /// <summary>Log-scales below this count as this.</summary>
    private const double LeastLogScale = -7;

    /// <summary>Log-scales above this count as this: a bin's share of so wide a logistic is no longer a normal float.</summary>
    private const double GreatestLogScale = 70;

    /// <summary>ln 1e-5: a value less probable than this, under one component, counts as far from its mean.</summary>
    private const double LeastLogProbability = -11.512925;

    /// <summary>Half the width of one of the 256 values, in the units of [-1, 1].</summary>
    private const double HalfBin = 1.0 / 255;

    /// <summary>
    /// ln of the probability of each whole pixel, in nats.
    /// </summary>
    /// <param name="logits">[N, 3 M or 10 M, H, W]</param>
    /// <param name="images">[N, C, H, W] in [-1, 1], each value one of 256.</param>
    /// <returns>[N, H, W]</returns>
    public static Tensor LogProbability(Tensor logits, Tensor images)
    {
        Mixture mixture = Mixture.Of(logits, images.shape[1]);
        Tensor x = images.permute(0, 2, 3, 1).unsqueeze(-1);
        Tensor inverseScale = (-mixture.LogScales).exp();
        Tensor centred = x - mixture.MeansGiven(x);
        Tensor upper = inverseScale * centred.Plus(HalfBin), lower = inverseScale * centred.Plus(-HalfBin);

        // sigmoid(upper) - sigmoid(lower) = sigmoid(upper) sigmoid(-lower) (1 - exp(lower - upper)): no difference of nearly equal numbers.
        Tensor belowUpper = F.logsigmoid(upper), aboveLower = F.logsigmoid(-lower);
        Tensor within = belowUpper.Plus(aboveLower).Plus((-inverseScale.Times(-2 * HalfBin).expm1()).log());

        // Far from the mean the published likelihood takes the density at the bin's centre for all of it.
        Tensor middle = inverseScale * centred;
        Tensor far = F.logsigmoid(middle).Plus(F.logsigmoid(-middle) - mixture.LogScales).Plus(Math.Log(2 * HalfBin));
        Tensor logProbabilities = where(x.IsBelow(-0.999), belowUpper, where(x.IsAbove(0.999), aboveLower, where(within.IsAbove(LeastLogProbability), within, far)));
        return logProbabilities.sum(3).Plus(F.log_softmax(mixture.Weights, -1)).logsumexp(-1);
    }

    /// <summary>
    /// One sample of each pixel, its colour channels in turn.
    /// </summary>
    /// <param name="logits">[N, 3 M or 10 M, H, W]</param>
    /// <param name="channels">1 or 3.</param>
    /// <param name="uniform">[N, H, W, M + C] uniform in (0, 1): M to choose a component, one per channel.</param>
    /// <returns>[N, C, H, W] in [-1, 1], not rounded.</returns>
    public static Tensor Sample(Tensor logits, int channels, Tensor uniform)
    {
        Mixture mixture = Mixture.Of(logits, channels);
        long components = mixture.Weights.shape[^1];
        Tensor noise = uniform.Clamped(1e-5, 1 - 1e-5);
        Tensor chosen = (mixture.Weights - (-noise.narrow(-1, 0, components).log()).log()).argmax(-1, keepdim: true);
        Tensor index = chosen.unsqueeze(3).expand([.. chosen.shape[..3], channels, 1]);
        Tensor u = noise.narrow(-1, components, channels);
        Tensor spread = mixture.LogScales.gather(-1, index).squeeze(-1).exp() * (u.log() - u.Times(-1).Plus(1).log());
        Tensor means = mixture.Means.gather(-1, index).squeeze(-1);
        List<Tensor> colours = [];
        for (int c = 0; c < channels; c++)
        {
            Tensor value = means.select(-1, c).Plus(spread.select(-1, c));
            for (int before = 0; before < c; before++)
                value = value.Plus(mixture.Coefficient(c, before).gather(-1, chosen).squeeze(-1) * colours[before]);
            colours.Add(value.Clamped(-1, 1));
        }

        return stack(colours, 1);
    }

    /// <summary>The parameters of each pixel's mixture.</summary>
    /// <param name="Weights">[N, H, W, M] logits of the components.</param>
    /// <param name="Means">[N, H, W, C, M]</param>
    /// <param name="LogScales">[N, H, W, C, M]</param>
    /// <param name="Coefficients">[N, H, W, 3, M] in (-1, 1): green on red, blue on red, blue on green; null for one channel.</param>
    private sealed record Mixture(Tensor Weights, Tensor Means, Tensor LogScales, Tensor? Coefficients)
    {
        public static Mixture Of(Tensor logits, long channels)
        {
            Tensor parameters = logits.permute(0, 2, 3, 1);
            long groups = channels == 1 ? 2 : 3, components = parameters.shape[3] / (1 + groups * channels);
            Tensor grouped = parameters.narrow(3, components, groups * channels * components)
                .view([.. parameters.shape[..3], channels, groups, components]);
            return new(
                parameters.narrow(3, 0, components), grouped.select(4, 0), grouped.select(4, 1).Clamped(LeastLogScale, GreatestLogScale),
                channels == 1 ? null : grouped.select(4, 2).tanh());
        }

        /// <summary>What channel <paramref name="channel"/>'s mean takes of channel <paramref name="before"/>, [N, H, W, M].</summary>
        public Tensor Coefficient(int channel, int before) => Coefficients!.select(3, channel - 1 + before);

        /// <summary>Means [N, H, W, C, M] given the true values x [N, H, W, C, 1] of the channels before.</summary>
        public Tensor MeansGiven(Tensor x)
        {
            List<Tensor> means = [];
            for (int c = 0; c < Means.shape[3]; c++)
            {
                Tensor mean = Means.select(3, c);
                for (int before = 0; before < c; before++)
                    mean = mean.Plus(Coefficient(c, before) * x.select(3, before));
                means.Add(mean);
            }

            return stack(means, 3);
        }
    }
}
