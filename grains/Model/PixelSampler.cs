using static TorchSharp.torch;

namespace PixelCnnCluster.Model;

/// <summary>
/// Draws images pixel by pixel, evaluating the network anew for each. Rows below the current one are left out: they cannot
/// matter, and the network is causal at any height that is a multiple of four.
/// </summary>
public static class PixelSampler
{
    /// <summary>One image per seed; the same seed gives the same image in any batch.</summary>
    /// <param name="parameters">Usually the Polyak average.</param>
    /// <param name="labels">int64 [N], or null for an unconditional network.</param>
    /// <param name="seeds">[N]</param>
    /// <returns>uint8 [N, C, H, W]</returns>
    public static Tensor Draw(PixelCnn network, Parameters parameters, Tensor? labels, ReadOnlySpan<ulong> seeds)
    {
        using var scope = NewDisposeScope();
        using var none = no_grad();
        NetworkShape shape = network.Shape;
        Device device = parameters.Values.device;
        Tensor uniform = Uniform(shape, seeds).to(device);
        Tensor images = zeros([seeds.Length, shape.Channels, shape.Size, shape.Size], device: device);
        for (int y = 0; y < shape.Size; y++)
        {
            Tensor above = images.narrow(2, 0, (y / 4 * 4) + 4);
            for (int x = 0; x < shape.Size; x++)
            {
                using var pixel = NewDisposeScope();
                Tensor colour = shape.EnergyDistance
                    ? EnergySamples(network, parameters, labels, above, seeds, (y * shape.Size) + x).narrow(2, y, 1).narrow(3, x, 1)
                    : MixtureLikelihood.Sample(
                        network.Forward(new Pass(parameters) { Labels = labels }, above).narrow(2, y, 1).narrow(3, x, 1),
                        shape.Channels, uniform.narrow(1, y, 1).narrow(2, x, 1));
                Tensor rounded = ImageScaling.FromBytes(ImageScaling.ToBytes(colour));
                images.narrow(2, y, 1).narrow(3, x, 1).copy_(rounded);
            }
        }

        return ImageScaling.ToBytes(images).cpu().MoveToOuterDisposeScope();
    }

    /// <summary>One sample of every pixel, [N, C, H, W]. Each image has a pass to itself, because a pass draws its noise for the whole batch.</summary>
    private static Tensor EnergySamples(
        PixelCnn network, Parameters parameters, Tensor? labels, Tensor images, ReadOnlySpan<ulong> seeds, int position)
    {
        List<Tensor> samples = [];
        for (int i = 0; i < seeds.Length; i++)
        {
            var pass = new Pass(parameters) { Labels = labels?.narrow(0, i, 1), Seed = Seeds.Derive(seeds[i], (ulong)position) };
            samples.Add(network.Forward(pass, images.narrow(0, i, 1)).select(0, 0));
        }

        return cat(samples);
    }

    private static Tensor Uniform(NetworkShape shape, ReadOnlySpan<ulong> seeds)
    {
        List<Tensor> draws = [];
        foreach (ulong seed in seeds)
        {
            using var generator = new Generator(seed >> 1, CPU);
            draws.Add(rand([shape.Size, shape.Size, shape.Mixtures + shape.Channels], generator: generator));
        }

        return stack(draws);
    }
}
