using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Sampling;

/// <summary>
/// Draws images pixel by pixel, or what is missing of them: one for each seed, whose bytes on the CPU are the same in any batch.
/// </summary>
public sealed class PixelSampler
{
    private readonly IPixelNetwork network;
    private readonly NetworkShape shape;
    private readonly Temperatures temperatures;
    private readonly ByteImages images;
    private readonly PixelNoise random;
    private readonly float[] output, noise, colours;

    /// <param name="network">An evaluation of the network that has seen no pixel yet.</param>
    /// <param name="seeds">[N]</param>
    /// <param name="given">Images uint8 [N, C, H, W] whose pixels stay where the mask, bool [N or 1, 1, H, W], is true.</param>
    /// <param name="temperatures">Null draws from the model as it is.</param>
    /// <exception cref="ArgumentException">The temperatures are none, or are asked of a network that has no mixture.</exception>
    public PixelSampler(
        IPixelNetwork network, NetworkShape shape, ReadOnlySpan<ulong> seeds, (Tensor Pixels, Tensor Mask)? given = null, Temperatures? temperatures = null)
    {
        (this.network, this.shape, this.temperatures) = (network, shape, temperatures ?? Temperatures.One);
        this.temperatures.Check();
        if (shape.EnergyDistance && this.temperatures != Temperatures.One)
            throw new ArgumentException("A network trained by energy distance has no mixture, so temperatures mean nothing to it.", nameof(temperatures));
        int count = seeds.Length;
        images = new(count, shape.Channels, shape.Size, given);
        random = new(shape, seeds);
        (output, noise, colours) = (new float[count * Outputs], new float[count * random.Length], new float[count * shape.Channels]);
    }

    /// <summary>Rows that are finished.</summary>
    public int Rows { get; private set; }

    /// <summary>uint8 [N, C, H, W]; rows that are not finished are as they were given, or zero.</summary>
    public byte[] Pixels => images.Pixels;

    private int Outputs => shape.EnergyDistance ? shape.Channels : shape.Logits;

    /// <summary>Draws whole images.</summary>
    /// <param name="parameters">Usually the Polyak average.</param>
    /// <param name="labels">int64 [N], or null for an unconditional network.</param>
    /// <returns>uint8 [N, C, H, W]</returns>
    /// <inheritdoc cref="PixelSampler(IPixelNetwork, NetworkShape, ReadOnlySpan{ulong}, ValueTuple{Tensor, Tensor}?, Temperatures?)"/>
    public static byte[] Sample(
        PixelCnn network, Parameters parameters, Tensor? labels, ReadOnlySpan<ulong> seeds, (Tensor Pixels, Tensor Mask)? given = null, Temperatures? temperatures = null)
    {
        using var cached = new CachedNetwork(network, parameters, labels, seeds.Length);
        return new PixelSampler(cached, network.Shape, seeds, given, temperatures).SampleAll();
    }

    /// <summary>Draws the rows that are left.</summary>
    /// <returns><see cref="Pixels"/></returns>
    public byte[] SampleAll()
    {
        while (Rows < shape.Size)
            SampleRow();
        return Pixels;
    }

    /// <summary>Draws the next row.</summary>
    /// <returns>[N, C, W]</returns>
    public byte[] SampleRow()
    {
        int y = Rows, count = colours.Length / shape.Channels;
        network.BeginRow(y);
        for (int x = 0; x < shape.Size; x++)
        {
            random.Read(y, x, noise);
            network.Evaluate(x, noise, output);
            for (int n = 0; n < count; n++)
            {
                Span<float> colour = colours.AsSpan(n * shape.Channels, shape.Channels);
                ReadOnlySpan<float> said = output.AsSpan(n * Outputs, Outputs);
                if (shape.EnergyDistance)
                    said.CopyTo(colour);
                else
                    MixtureLikelihood.Sample(said, noise.AsSpan(n * random.Length, random.Length), temperatures, colour);
                images.Settle(n, y, x, colour);
            }

            network.Write(colours);
        }

        Rows++;
        return images.Row(y);
    }
}
