using PixelCnnCluster.Contracts;
using SkiaSharp;

namespace PixelCnnCluster.Pictures;

/// <summary>A PNG or JPEG image whose header was read; its pixels are decoded when they are asked for.</summary>
public sealed class Picture : IDisposable
{
    /// <summary>A small file can promise far more.</summary>
    private const long MostPixels = 64 << 20;

    /// <summary>Of the decoded picture and of what scales it down.</summary>
    private const int BytesPerPixel = 6;

    /// <summary>The share of the memory that one picture may take.</summary>
    private const int MemoryShare = 8;

    /// <summary>Of a file: as many bytes as its pixels have when they are not packed.</summary>
    public const long MostBytes = 4 * MostPixels;

    private readonly string _name;
    private readonly SKCodec _codec;

    /// <param name="name">The file as messages name it.</param>
    /// <param name="file">Stays open as long as the picture is used.</param>
    /// <exception cref="UserErrorException">It is neither PNG nor JPEG, or claims too many pixels for this machine or for any.</exception>
    public Picture(string name, Stream file)
        : this(name, file, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)
    {
    }

    /// <param name="memory">Bytes that the process may use.</param>
    internal Picture(string name, Stream file, long memory)
    {
        _name = name;
        // Null when the library knows no such format.
        var found = SKCodec.Create(file);
        try
        {
            if (found is not { EncodedFormat: SKEncodedImageFormat.Png or SKEncodedImageFormat.Jpeg })
                throw Faulty("is no PNG or JPEG image", "take it away or replace it");
            long most = Math.Min(MostPixels, memory / MemoryShare / BytesPerPixel);
            if ((long)found.Info.Width * found.Info.Height > most)
                throw Faulty($"claims {found.Info.Width}x{found.Info.Height} pixels, more than {most}", "take it away or shrink it");
            _codec = found;
        }
        catch
        {
            found?.Dispose();
            throw;
        }
    }

    public int Width => _codec.Info.Width;

    public int Height => _codec.Info.Height;

    /// <summary>Writes the largest centred square, scaled to the given side, as [3, size, size].</summary>
    /// <exception cref="UserErrorException">The file is cut off or garbled.</exception>
    public void CopyTo(Span<byte> image, int size)
    {
        using SKBitmap whole = Decode();
        int side = Math.Min(Width, Height);
        using var square = new SKBitmap();
        whole.ExtractSubset(square, SKRectI.Create((Width - side) / 2, (Height - side) / 2, side, side));
        using var scaled = new SKBitmap(whole.Info.WithSize(size, size));
        square.ScalePixels(scaled, new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.Linear));

        ReadOnlySpan<byte> rgba = scaled.GetPixelSpan();
        int pixels = size * size;
        for (int i = 0; i < pixels; i++)
        {
            for (int channel = 0; channel < 3; channel++)
                image[channel * pixels + i] = rgba[4 * i + channel];
        }
    }

    public void Dispose() => _codec.Dispose();

    /// <summary>The stored values, [Height, Width, 4]: red, green, blue and alpha.</summary>
    /// <exception cref="UserErrorException">The file is cut off or garbled.</exception>
    internal SKBitmap Decode()
    {
        // Without a colour space in the target, the stored values come as they are.
        var whole = new SKBitmap(new SKImageInfo(Width, Height, SKColorType.Rgba8888, SKAlphaType.Unpremul));
        if (_codec.GetPixels(whole.Info, whole.GetPixels()) == SKCodecResult.Success)
            return whole;
        whole.Dispose();
        throw Faulty("is cut off or garbled", "take it away or replace it");
    }

    private UserErrorException Faulty(string what, string remedy) => new($"{_name} {what}; {remedy}.");
}
