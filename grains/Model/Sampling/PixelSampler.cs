using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Objectives;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Sampling;

/// <summary>
/// Samples images pixel by pixel, or what is missing of them: one for each seed, whose bytes on the CPU are the same in any batch.
/// </summary>
public sealed class PixelSampler
{
    private readonly IPixelNetwork _network;
    private readonly NetworkShape _shape;
    private readonly Temperatures _temperatures;
    private readonly ByteImages _images;
    private readonly PixelNoise _random;
    private readonly float[] _output, _noise, _colours;

    /// <param name="network">An evaluation of the network that has seen no pixel yet.</param>
    /// <param name="seeds">[N]</param>
    /// <param name="given">Images uint8 [N, C, H, W] whose pixels stay where the mask, bool [N or 1, 1, H, W], is true.</param>
    /// <param name="temperatures">Null samples from the model as it is.</param>
    /// <exception cref="ArgumentException">The temperatures are none, or are asked of a network that has no mixture.</exception>
    public PixelSampler(
        IPixelNetwork network, NetworkShape shape, ReadOnlySpan<ulong> seeds, (Tensor Pixels, Tensor Mask)? given = null,
        Temperatures? temperatures = null)
    {
        (_network, _shape, _temperatures) = (network, shape, temperatures ?? Temperatures.One);
        _temperatures.Check();
        if (shape.EnergyDistance && _temperatures != Temperatures.One)
            throw new ArgumentException(
                "A network trained by energy distance has no mixture, so temperatures mean nothing to it.", nameof(temperatures));
        int count = seeds.Length;
        _images = new(count, shape.Channels, shape.Size, given);
        _random = new(shape, seeds);
        (_output, _noise, _colours) = (new float[count * Outputs], new float[count * _random.Length], new float[count * shape.Channels]);
    }

    /// <summary>Rows that are finished.</summary>
    public int Rows { get; private set; }

    /// <summary>uint8 [N, C, H, W]; rows that are not finished are as they were given, or zero.</summary>
    public byte[] Pixels => _images.Pixels;

    private int Outputs => _shape.EnergyDistance ? _shape.Channels : _shape.Logits;

    /// <summary>Samples whole images.</summary>
    /// <param name="parameters">Usually the Polyak average.</param>
    /// <param name="labels">int64 [N], or null for an unconditional network.</param>
    /// <returns>uint8 [N, C, H, W]</returns>
    /// <inheritdoc cref="PixelSampler(IPixelNetwork, NetworkShape, ReadOnlySpan{ulong}, ValueTuple{Tensor, Tensor}?, Temperatures?)"/>
    public static byte[] Sample(
        PixelCnn network, Parameters parameters, Tensor? labels, ReadOnlySpan<ulong> seeds, (Tensor Pixels, Tensor Mask)? given = null,
        Temperatures? temperatures = null)
    {
        using var cached = new CachedNetwork(network, parameters, labels, seeds.Length);
        return new PixelSampler(cached, network.Shape, seeds, given, temperatures).SampleAll();
    }

    /// <summary>Samples the rows that are left.</summary>
    /// <returns><see cref="Pixels"/></returns>
    public byte[] SampleAll()
    {
        while (Rows < _shape.Size)
            SampleRow();
        return Pixels;
    }

    /// <summary>Samples the next row.</summary>
    /// <returns>[N, C, W]</returns>
    public byte[] SampleRow()
    {
        int y = Rows, count = _colours.Length / _shape.Channels;
        _network.BeginRow(y);
        for (int x = 0; x < _shape.Size; x++)
        {
            _random.Read(y, x, _noise);
            _network.Evaluate(x, _noise, _output);
            for (int n = 0; n < count; n++)
            {
                Span<float> colour = _colours.AsSpan(n * _shape.Channels, _shape.Channels);
                ReadOnlySpan<float> said = _output.AsSpan(n * Outputs, Outputs);
                if (_shape.EnergyDistance)
                    said.CopyTo(colour);
                else
                    MixtureLikelihood.Sample(said, _noise.AsSpan(n * _random.Length, _random.Length), _temperatures, colour);
                _images.Settle(n, y, x, colour);
            }

            _network.Write(_colours);
        }

        Rows++;
        return _images.Row(y);
    }
}
