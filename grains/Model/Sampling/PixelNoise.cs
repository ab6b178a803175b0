using System.Runtime.InteropServices;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Objectives;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Sampling;

/// <summary>
/// All the randomness of a job's images. Each image's is a function of its own seed, so the batch it is sampled in does not matter.
/// </summary>
internal sealed class PixelNoise
{
    private const float Least = 1e-5f;

    private readonly NetworkShape _shape;
    private readonly float[][] _images;

    public PixelNoise(NetworkShape shape, ReadOnlySpan<ulong> seeds)
    {
        _shape = shape;
        _images = new float[seeds.Length][];
        for (int i = 0; i < seeds.Length; i++)
            _images[i] = SampleImage(seeds[i]);
    }

    /// <summary>Numbers for each pixel of each image.</summary>
    public int Length => _shape.EnergyDistance ? EnergyHead.NoiseChannels : _shape.Mixtures + _shape.Channels;

    /// <param name="noise">
    /// [N, <see cref="Length"/>]: for <see cref="MixtureLikelihood.Sample"/> Gumbel noise for each component and logistic noise for
    /// each channel; for energy distance uniform in [-1, 1).
    /// </param>
    public void Read(int y, int x, Span<float> noise)
    {
        for (int n = 0; n < _images.Length; n++)
            _images[n].AsSpan(((y * _shape.Size) + x) * Length, Length).CopyTo(noise[(n * Length)..]);
    }

    private float[] SampleImage(ulong seed)
    {
        using DisposeScope scope = NewDisposeScope();
        using var generator = new Generator(seed >> 1, CPU);
        float[] noise = MemoryMarshal.Cast<byte, float>(rand([_shape.Size, _shape.Size, Length], generator: generator).bytes).ToArray();
        for (int i = 0; i < noise.Length; i++)
        {
            float u = Math.Clamp(noise[i], Least, 1 - Least);
            noise[i] = _shape.EnergyDistance ? (2 * noise[i]) - 1
                : i % Length < _shape.Mixtures ? -MathF.Log(-MathF.Log(u))
                : MathF.Log(u) - MathF.Log(1 - u);
        }

        return noise;
    }
}
