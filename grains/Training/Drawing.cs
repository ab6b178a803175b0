using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Sampling;
using static TorchSharp.torch;

namespace PixelCnnCluster.Training;

/// <summary>
/// Images of a series while a device draws them, its threads sharing them out. Image number i is a function of the parameters, the seed, i and
/// what the order says, not of the range it is drawn in. Its methods are called on the device.
/// </summary>
public sealed class Drawing : IDisposable
{
    private readonly DeviceThreads threads;
    private readonly NetworkShape shape;
    private readonly Part[] parts;

    /// <param name="first">Number of the first image.</param>
    /// <param name="classOf">Class of image number i.</param>
    /// <param name="given">Pixels [end - first, C, H, W] that stay under the mask [H, W]; null draws whole images.</param>
    public Drawing(
        PixelCnn network, Parameters parameters, DeviceThreads threads, int first, int end, ulong seed, Func<int, int> classOf,
        (byte[] Pixels, bool[] Mask)? given = null, Temperatures? temperatures = null)
    {
        (this.threads, shape, Images) = (threads, network.Shape, end - first);
        parts = new Part[Math.Min(threads.Count, Images)];
        threads.ForEach(parts.Length, (_, part) =>
        {
            int from = Images * part / parts.Length, count = (Images * (part + 1) / parts.Length) - from;
            int[] numbers = [.. Enumerable.Range(first + from, count)];
            Tensor? labels = shape.Classes == 0 ? null : tensor(numbers.Select(i => (long)classOf(i)).ToArray());
            ulong[] seeds = [.. numbers.Select(i => Seeds.Derive(seed, SeedUse.Samples, (ulong)i))];
            var cached = new CachedNetwork(network, parameters, labels, count);
            parts[part] = new(from, cached, new(cached, shape, seeds, Cut(from, count), temperatures));
        });

        (Tensor, Tensor)? Cut(int from, int count) => given is not var (pixels, mask) ? null
            : (tensor(pixels[(from * ImageBytes)..((from + count) * ImageBytes)], [count, shape.Channels, shape.Size, shape.Size], ScalarType.Byte),
                tensor(mask, [1, 1, shape.Size, shape.Size]));
    }

    public int Images { get; }

    private int ImageBytes => shape.Channels * shape.Size * shape.Size;

    /// <summary>Draws the next row.</summary>
    /// <returns>[images, C, W] bytes.</returns>
    public byte[] DrawRow()
    {
        byte[] row = new byte[Images * shape.Channels * shape.Size];
        threads.ForEach(parts.Length, (_, part) =>
        {
            Part mine = parts[part];
            mine.Sampler.DrawRow().CopyTo(row.AsSpan(mine.First * shape.Channels * shape.Size));
        });
        return row;
    }

    /// <summary>Draws the rows that are left.</summary>
    /// <returns>[images, C, H, W] bytes.</returns>
    public byte[] DrawAll()
    {
        byte[] pixels = new byte[Images * ImageBytes];
        threads.ForEach(parts.Length, (_, part) => parts[part].Sampler.DrawAll().CopyTo(pixels.AsSpan(parts[part].First * ImageBytes)));
        return pixels;
    }

    public void Dispose()
    {
        foreach (Part part in parts)
            part.Network.Dispose();
    }

    private sealed record Part(int First, CachedNetwork Network, PixelSampler Sampler);
}
