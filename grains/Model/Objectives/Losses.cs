using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Tensors;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Objectives;

/// <summary>What training minimises, summed over the images of a batch.</summary>
public static class Losses
{
    /// <param name="output">The network's: [N, P, H, W] mixture parameters, or for energy distance [S, N, C, H, W] samples.</param>
    /// <param name="images">[N, C, H, W] in [-1, 1]</param>
    /// <param name="focalGamma">Used by <see cref="Objective.Focal"/>; 0 gives the plain likelihood.</param>
    /// <returns>A scalar: nats, or for energy distance a power of a distance between bytes.</returns>
    public static Tensor Sum(Objective objective, Tensor output, Tensor images, double focalGamma) => objective switch
    {
        Objective.Likelihood => -MixtureLikelihood.LogProbability(output, images).sum(),
        Objective.Focal => Focal(MixtureLikelihood.LogProbability(output, images), focalGamma).sum(),
        _ => EnergyDistance(output, images).sum(),
    };

    /// <summary>-(1 - p)^gamma ln p (arXiv 1708.02002) with p the likelihood of a whole pixel; [N, H, W] to [N, H, W].</summary>
    private static Tensor Focal(Tensor logProbability, double gamma) =>
        // The floor keeps the slope of (1 - p)^gamma finite where p rounds to 1.
        -(-logProbability.expm1()).Clamped(1e-12, 1).Power(gamma) * logProbability;

    /// <summary>
    /// Energy distance 2 E|x - y|^1.5 - E|y - y'|^1.5 of each pixel's colour x from the samples y (Szekely and Rizzo 2013), unbiased, with
    /// the exponent and the units (bytes) of the original; [S, N, C, H, W] and [N, C, H, W] to [N, H, W].
    /// </summary>
    private static Tensor EnergyDistance(Tensor samples, Tensor images)
    {
        long count = samples.shape[0];
        Tensor toImage = Distance(samples, images.unsqueeze(0)).mean([0]);
        Tensor between = Distance(samples.unsqueeze(0), samples.unsqueeze(1)).sum([0, 1]).Over(count * (count - 1));
        return toImage.Times(2) - between;

        // The constant keeps the power's slope finite where two samples agree, as each does with itself.
        static Tensor Distance(Tensor a, Tensor b) => (a - b).Times(127.5).Squared().sum(-3).Plus(1e-10).Power(0.75);
    }
}
