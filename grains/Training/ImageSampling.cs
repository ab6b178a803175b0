using PixelCnnCluster.Exchange;
using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Objectives;
using PixelCnnCluster.Model.Sampling;
using PixelCnnCluster.Model.Tensors;
using PixelCnnCluster.Training.Devices;
using static TorchSharp.torch;

namespace PixelCnnCluster.Training;

/// <summary>
/// Images of a series while a device samples them, its threads sharing them out. Image number i is a function of the parameters, the seed,
/// i and what the order says, not of the range it is sampled in. Its methods are called on the device.
/// </summary>
public sealed class ImageSampling : IDisposable
{
    private readonly DeviceThreads _threads;
    private readonly NetworkShape _shape;
    private readonly int _count;
    private readonly Part[] _parts;

    /// <param name="first">Number of the first image.</param>
    /// <param name="classOf">Class of image number i.</param>
    /// <param name="given">Pixels [end - first, C, H, W] that stay under the mask [H, W]; null samples whole images.</param>
    public ImageSampling(
        PixelCnn network, Parameters parameters, DeviceThreads threads, int first, int end, ulong seed, Func<int, int> classOf,
        (byte[] Pixels, bool[] Mask)? given = null, Temperatures? temperatures = null)
    {
        (_threads, _shape, _count) = (threads, network.Shape, end - first);
        _parts = new Part[Math.Min(threads.Count, _count)];
        threads.ForEach(_parts.Length, (_, part) =>
        {
            var share = ShardRange.ShareOf(_count, part, _parts.Length);
            int[] numbers = [.. Enumerable.Range(first + share.First, share.Count)];
            Tensor? labels = _shape.Classes == 0 ? null : tensor(numbers.Select(i => (long)classOf(i)).ToArray()).MovedTo(threads.Device);
            ulong[] seeds = [.. numbers.Select(i => Seeds.Derive(seed, SeedUse.Samples, (ulong)i))];
            var cached = new CachedNetwork(network, parameters, labels, share.Count);
            _parts[part] = new(share.First, cached, new(cached, _shape, seeds, Cut(share), temperatures));
        });

        (Tensor, Tensor)? Cut(ShardRange share) => given is not var (pixels, mask) ? null
            : (tensor(
                pixels[(share.First * ImageBytes)..(share.End * ImageBytes)], [share.Count, _shape.Channels, _shape.Size, _shape.Size],
                ScalarType.Byte),
                tensor(mask, [1, 1, _shape.Size, _shape.Size]));
    }

    private int ImageBytes => _shape.Channels * _shape.Size * _shape.Size;

    /// <summary>Samples the next row.</summary>
    /// <returns>[images, C, W] bytes.</returns>
    public byte[] SampleRow()
    {
        byte[] row = new byte[_count * _shape.Channels * _shape.Size];
        _threads.ForEach(_parts.Length, (_, part) =>
        {
            Part mine = _parts[part];
            mine.Sampler.SampleRow().CopyTo(row.AsSpan(mine.First * _shape.Channels * _shape.Size));
        });
        return row;
    }

    /// <summary>Samples the rows that are left.</summary>
    /// <returns>[images, C, H, W] bytes.</returns>
    public byte[] SampleAll()
    {
        byte[] pixels = new byte[_count * ImageBytes];
        _threads.ForEach(
            _parts.Length, (_, part) => _parts[part].Sampler.SampleAll().CopyTo(pixels.AsSpan(_parts[part].First * ImageBytes)));
        return pixels;
    }

    public void Dispose()
    {
        foreach (Part part in _parts)
            part.Network.Dispose();
    }

    private sealed record Part(int First, CachedNetwork Network, PixelSampler Sampler);
}
