using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Sampling;

/// <summary>The images of a job while they are sampled, with the pixels that were given.</summary>
internal sealed class ByteImages
{
    private readonly int _count;
    private readonly int _channels;
    private readonly int _size;
    private readonly bool[]? _isGiven;

    /// <exception cref="ArgumentException">The given images or their mask do not have the shape of those that are sampled.</exception>
    public ByteImages(int count, int channels, int size, (Tensor Pixels, Tensor Mask)? given)
    {
        (_count, _channels, _size) = (count, channels, size);
        if (given is not var (pixels, mask))
        {
            Pixels = new byte[count * channels * size * size];
            return;
        }

        if (!pixels.shape.SequenceEqual([count, channels, size, size]) || pixels.dtype != ScalarType.Byte)
            throw new ArgumentException($"Given pixels must be bytes [{count}, {channels}, {size}, {size}].", nameof(given));
        if (!mask.shape.SequenceEqual([mask.shape[0], 1, size, size]) || (mask.shape[0] != 1 && mask.shape[0] != count)
            || mask.dtype != ScalarType.Bool)
            throw new ArgumentException($"The mask of given pixels must be booleans [{count} or 1, 1, {size}, {size}].", nameof(given));
        using DisposeScope scope = NewDisposeScope();
        Pixels = pixels.cpu().contiguous().bytes.ToArray();
        _isGiven = [.. mask.cpu().expand(count, 1, size, size).contiguous().bytes.ToArray().Select(each => each != 0)];
    }

    /// <summary>[N, C, H, W]</summary>
    public byte[] Pixels { get; }

    /// <summary>
    /// Sets a pixel to the byte nearest to a colour [C] in [-1, 1], unless it is given; the colour becomes that of the byte.
    /// </summary>
    public void Settle(int image, int y, int x, Span<float> colour)
    {
        bool keep = _isGiven is not null && _isGiven[(((image * _size) + y) * _size) + x];
        for (int c = 0; c < _channels; c++)
        {
            ref byte pixel = ref Pixels[(((((image * _channels) + c) * _size) + y) * _size) + x];
            pixel = keep ? pixel : ImageScaling.ToByte(colour[c]);
            colour[c] = ImageScaling.FromByte(pixel);
        }
    }

    /// <summary>[N, C, W]</summary>
    public byte[] Row(int y)
    {
        byte[] row = new byte[_count * _channels * _size];
        for (int plane = 0; plane < _count * _channels; plane++)
            Pixels.AsSpan(((plane * _size) + y) * _size, _size).CopyTo(row.AsSpan(plane * _size));
        return row;
    }
}
