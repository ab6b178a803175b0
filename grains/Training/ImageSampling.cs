using PixelCnnCluster.Exchange;
using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Objectives;
using PixelCnnCluster.Model.Sampling;
using PixelCnnCluster.Model.Tensors;
using PixelCnnCluster.Training.Devices;
using static TorchSharp.torch;

namespace PixelCnnCluster.Training;

/// <summary>Images number [<paramref name="First"/>, <paramref name="End"/>) of a series, to sample.</summary>
/// <param name="ClassOf">Class of image number i.</param>
public sealed record SampledRange(int First, int End, ulong Seed, Func<int, int> ClassOf)
{
    /// <summary>Pixels [End - First, C, H, W] that stay under the mask [H, W]; null samples whole images.</summary>
    public (byte[] Pixels, bool[] Mask)? Given { get; init; }

    /// <summary>Null samples from the model as it is.</summary>
    public Temperatures? Temperatures { get; init; }
}

/// <summary>
/// Images of a series while a device samples them, its threads sharing them out. Image number i is a function of the parameters, the seed,
/// i and what the request says, not of the range it is sampled in. Its methods are called on the device.
/// </summary>
public sealed class ImageSampling : IDisposable
{
    private readonly DeviceThreads _threads;
    private readonly NetworkShape _shape;
    private readonly int _count;
    private readonly Part[] _parts;

    public ImageSampling(PixelCnn network, Parameters parameters, DeviceThreads threads, SampledRange range)
    {
        (_threads, _shape, _count) = (threads, network.Shape, range.End - range.First);
        _parts = new Part[Math.Min(threads.Count, _count)];
        threads.ForEach(_parts.Length, (_, part) =>
        {
            var share = ShardRange.ShareOf(_count, part, _parts.Length);
            int[] numbers = [.. Enumerable.Range(range.First + share.First, share.Count)];
            Tensor? labels = _shape.Classes == 0 ? null
                : tensor(numbers.Select(i => (long)range.ClassOf(i)).ToArray()).MovedTo(threads.Device);
            ulong[] seeds = [.. numbers.Select(i => Seeds.Derive(range.Seed, SeedUse.Samples, (ulong)i))];
            var cached = new CachedNetwork(network, parameters, labels, share.Count);
            _parts[part] = new(share.First, cached, new(cached, _shape, seeds, Cut(share), range.Temperatures));
        });

        (Tensor, Tensor)? Cut(ShardRange share) => range.Given is not var (pixels, mask) ? null
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
