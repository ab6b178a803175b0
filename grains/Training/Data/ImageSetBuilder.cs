namespace PixelCnnCluster.Training.Data;

/// <summary>Collects the images of a set one by one, so that a loader reads each straight into its place.</summary>
/// <param name="classes">0 when the images have no labels.</param>
public sealed class ImageSetBuilder(int channels, int size, int classes)
{
    /// <summary>At 64x64x3 a block takes 12 MB.</summary>
    internal const int ImagesPerBlock = 1024;

    private readonly int _imageBytes = channels * size * size;
    private readonly List<byte[]> _blocks = [];
    private readonly List<int> _labels = [];

    public int Channels => channels;

    public int Size => size;

    public int Classes => classes;

    public int Count => _labels.Count;

    /// <summary>Makes room for the next image and returns it, [Channels, Size, Size], for the caller to fill.</summary>
    public Span<byte> Add(int label)
    {
        int offset = Count % ImagesPerBlock * _imageBytes;
        if (offset == 0)
            _blocks.Add(GC.AllocateUninitializedArray<byte>(ImagesPerBlock * _imageBytes));
        _labels.Add(label);
        return _blocks[^1].AsSpan(offset, _imageBytes);
    }

    /// <summary>The images added so far; nothing may be added afterwards.</summary>
    public ImageSet Build() => new(channels, size, classes, _blocks, _labels);
}
