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

    /// <summary>The class of one image; 0 when the images have none.</summary>
    public int Label(int index) => _labels[index];
}

/// <summary>The two halves of a data set; they agree in channels, size and classes.</summary>
public sealed record ImageData(ImageSet Train, ImageSet Test);
