using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Sampling;

/// <summary>Draws images pixel by pixel, or what is missing of them.</summary>
public static class PixelSampler
{
    /// <summary>One image per seed; on the CPU the same seed gives the same bytes in any batch.</summary>
    /// <param name="parameters">Usually the Polyak average.</param>
    /// <param name="labels">int64 [N], or null for an unconditional network.</param>
    /// <param name="seeds">[N]</param>
    /// <param name="given">Images uint8 [N, C, H, W] whose pixels stay where the mask, bool [N or 1, 1, H, W], is true.</param>
    /// <param name="temperatures">Null draws from the model as it is.</param>
    /// <param name="onRow">Told each row's number and pixels [N, C, W] as soon as it is finished.</param>
    /// <returns>uint8 [N, C, H, W]</returns>
    /// <exception cref="ArgumentException">The temperatures are none, or are asked of a network that has no mixture.</exception>
    public static Tensor Draw(
        PixelCnn network, Parameters parameters, Tensor? labels, ReadOnlySpan<ulong> seeds,
        (Tensor Pixels, Tensor Mask)? given = null, Temperatures? temperatures = null, Action<int, byte[]>? onRow = null)
    {
        using var cached = new CachedNetwork(network, parameters, labels, seeds.Length);
        return Draw(cached, network.Shape, seeds, given, temperatures, onRow);
    }

    /// <summary>The same from any evaluation of the network that has seen no pixel yet.</summary>
    public static Tensor Draw(
        IPixelNetwork network, NetworkShape shape, ReadOnlySpan<ulong> seeds,
        (Tensor Pixels, Tensor Mask)? given = null, Temperatures? temperatures = null, Action<int, byte[]>? onRow = null)
    {
        temperatures ??= Temperatures.One;
        temperatures.Check();
        if (shape.EnergyDistance && temperatures != Temperatures.One)
            throw new ArgumentException("A network trained by energy distance has no mixture, so temperatures mean nothing to it.", nameof(temperatures));

        int count = seeds.Length, channels = shape.Channels, size = shape.Size, outputs = shape.EnergyDistance ? channels : shape.Logits;
        var images = new ByteImages(count, channels, size, given);
        var random = new PixelNoise(shape, seeds);
        float[] output = new float[count * outputs], noise = new float[count * random.Length], colours = new float[count * channels];
        for (int y = 0; y < size; y++)
        {
            network.BeginRow(y);
            for (int x = 0; x < size; x++)
            {
                random.Read(y, x, noise);
                network.Evaluate(x, noise, output);
                for (int n = 0; n < count; n++)
                {
                    Span<float> colour = colours.AsSpan(n * channels, channels);
                    ReadOnlySpan<float> said = output.AsSpan(n * outputs, outputs);
                    if (shape.EnergyDistance)
                        said.CopyTo(colour);
                    else
                        MixtureLikelihood.Sample(said, noise.AsSpan(n * random.Length, random.Length), temperatures, colour);
                    images.Settle(n, y, x, colour);
                }

                network.Write(colours);
            }

            onRow?.Invoke(y, images.Row(y));
        }

        return tensor(images.Pixels, [count, channels, size, size], ScalarType.Byte);
    }
}
