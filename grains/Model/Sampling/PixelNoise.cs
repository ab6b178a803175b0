using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Sampling;

/// <summary>All the randomness of a job's images. Each image's is a function of its own seed, so the batch it is drawn in does not matter.</summary>
internal sealed class PixelNoise
{
    private const float Least = 1e-5f;

    private readonly NetworkShape shape;
    private readonly float[][] images;

    public PixelNoise(NetworkShape shape, ReadOnlySpan<ulong> seeds)
    {
        this.shape = shape;
        images = new float[seeds.Length][];
        for (int i = 0; i < seeds.Length; i++)
            images[i] = SampleImage(seeds[i]);
    }

    /// <summary>Numbers for each pixel of each image.</summary>
    public int Length => shape.EnergyDistance ? EnergyHead.NoiseChannels : shape.Mixtures + shape.Channels;

    /// <param name="noise">
    /// [N, <see cref="Length"/>]: for <see cref="MixtureLikelihood.Sample"/> Gumbel noise for each component and logistic noise for
    /// each channel; for energy distance uniform in [-1, 1).
    /// </param>
    public void Read(int y, int x, Span<float> noise)
    {
        for (int n = 0; n < images.Length; n++)
            images[n].AsSpan(((y * shape.Size) + x) * Length, Length).CopyTo(noise[(n * Length)..]);
    }

    private float[] SampleImage(ulong seed)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(seed >> 1, CPU);
        float[] noise = MemoryMarshal.Cast<byte, float>(rand([shape.Size, shape.Size, Length], generator: generator).bytes).ToArray();
        for (int i = 0; i < noise.Length; i++)
        {
            float u = Math.Clamp(noise[i], Least, 1 - Least);
            noise[i] = shape.EnergyDistance ? (2 * noise[i]) - 1
                : i % Length < shape.Mixtures ? -MathF.Log(-MathF.Log(u))
                : MathF.Log(u) - MathF.Log(1 - u);
        }

        return noise;
    }
}
