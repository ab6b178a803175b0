using System.Globalization;
using System.IO.Hashing;

namespace PixelCnnCluster.Training.Data;

/// <summary>
/// Images [Count, Channels, Size, Size] of bytes with their labels. They are held in blocks, because the larger sets exceed what one array
/// can hold.
/// </summary>
public sealed class ImageSet
{
    private readonly IReadOnlyList<byte[]> _blocks;
    private readonly IReadOnlyList<int> _labels;

    internal ImageSet(int channels, int size, int classes, IReadOnlyList<byte[]> blocks, IReadOnlyList<int> labels)
    {
        Channels = channels;
        Size = size;
        Classes = classes;
        _blocks = blocks;
        _labels = labels;
    }

    public int Count => _labels.Count;

    /// <summary>1 for grey, 3 for red, green and blue.</summary>
    public int Channels { get; }

    /// <summary>Side in pixels.</summary>
    public int Size { get; }

    /// <summary>Labels are in [0, Classes); 0 when the images have none.</summary>
    public int Classes { get; }

    /// <summary>The pixels of one image, [Channels, Size, Size].</summary>
    public ReadOnlySpan<byte> Image(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count);
        int bytes = Channels * Size * Size;
        return _blocks[index / ImageSetBuilder.ImagesPerBlock].AsSpan(index % ImageSetBuilder.ImagesPerBlock * bytes, bytes);
    }

    /// <summary>Appends all pixels and labels.</summary>
    internal void AppendTo(XxHash128 hash)
    {
        for (int first = 0; first < Count; first += ImageSetBuilder.ImagesPerBlock)
        {
            int images = Math.Min(ImageSetBuilder.ImagesPerBlock, Count - first);
            hash.Append(_blocks[first / ImageSetBuilder.ImagesPerBlock].AsSpan(0, images * Channels * Size * Size));
        }

        foreach (int label in _labels)
            hash.Append(BitConverter.GetBytes(label));
    }

    /// <summary>The class of one image; 0 when the images have none.</summary>
    public int Label(int index) => _labels[index];
}

/// <summary>The two halves of a data set; they agree in channels, size and classes.</summary>
public sealed record ImageData(ImageSet Train, ImageSet Test)
{
    private string? _fingerprint;

    /// <summary>What the images are, for people and to compare: counts, sizes, and a hash of all pixels and labels.</summary>
    public string Fingerprint => _fingerprint ??= MakeFingerprint();

    private string MakeFingerprint()
    {
        var hash = new XxHash128();
        Train.AppendTo(hash);
        Test.AppendTo(hash);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Train.Count} + {Test.Count} images of {Train.Size}x{Train.Size}x{Train.Channels}, " +
            $"{Convert.ToHexStringLower(hash.GetCurrentHash())[..16]}");
    }
}
