using PixelCnnCluster.Model.Tensors;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace PixelCnnCluster.Model.Objectives;

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
        var mixture = Mixture.Of(logits, images.shape[1]);
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
        Tensor logProbabilities = where(
            x.IsBelow(-0.999), belowUpper, where(x.IsAbove(0.999), aboveLower, where(within.IsAbove(LeastLogProbability), within, far)));
        return logProbabilities.sum(3).Plus(F.log_softmax(mixture.Weights, -1)).logsumexp(-1);
    }

    /// <summary>
    /// A sample of one pixel, its colour channels in turn. One image's arithmetic, so the batch it is sampled in cannot matter.
    /// </summary>
    /// <param name="logits">[3 M or 10 M]</param>
    /// <param name="noise">[M + C]: standard Gumbel noise to choose a component, standard logistic noise for each channel.</param>
    /// <param name="colours">[C] in [-1, 1], those of bytes.</param>
    public static void Sample(ReadOnlySpan<float> logits, ReadOnlySpan<float> noise, Temperatures temperatures, Span<float> colours)
    {
        int channels = colours.Length, groups = channels == 1 ? 2 : 3, components = logits.Length / (1 + (groups * channels));
        int chosen = 0;
        for (int m = 1; m < components; m++)
        {
            if (Score(logits, noise, m) > Score(logits, noise, chosen))
                chosen = m;
        }

        for (int c = 0; c < channels; c++)
        {
            float spread = MathF.Exp(
                Math.Clamp(Parameter(logits, c, 1), (float)LeastLogScale, (float)GreatestLogScale)) * (float)temperatures.Logistic;
            float value = Parameter(logits, c, 0) + (spread * noise[components + c]);
            for (int before = 0; before < c; before++)
                value += MathF.Tanh(Parameter(logits, c - 1 + before, 2)) * colours[before];
            // The next channel's mean is of the colour that is shown, as in training.
            colours[c] = ImageScaling.FromByte(ImageScaling.ToByte(value));
        }

        // Dividing the logits by a temperature is the same as multiplying the noise with it, which may be 0.
        float Score(ReadOnlySpan<float> logits, ReadOnlySpan<float> noise, int component) =>
            logits[component] + ((float)temperatures.Mixture * noise[component]);

        float Parameter(ReadOnlySpan<float> logits, int channel, int group) =>
            logits[(components * (1 + (channel * groups) + group)) + chosen];
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
