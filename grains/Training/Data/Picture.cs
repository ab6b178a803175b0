using SkiaSharp;

namespace PixelCnnCluster.Training.Data;

/// <summary>A PNG or JPEG image whose header was read; its pixels are decoded when they are asked for.</summary>
internal sealed class Picture : IDisposable
{
    /// <summary>Decoded it takes 256 MB; a small file can promise far more.</summary>
    private const long MostPixels = 64 << 20;

    private readonly string _name;
    private readonly SKCodec _codec;

    /// <param name="codec">Null when no codec knows the format.</param>
    public Picture(string name, SKCodec? codec)
    {
        if (codec is not { EncodedFormat: SKEncodedImageFormat.Png or SKEncodedImageFormat.Jpeg })
            throw DataFile.Faulty(name, "is no PNG or JPEG image", "take it away or replace it");
        if ((long)codec.Info.Width * codec.Info.Height > MostPixels)
            throw DataFile.Faulty(name, $"claims {codec.Info.Width}x{codec.Info.Height} pixels, more than {MostPixels}", "take it away or shrink it");
        _name = name;
        _codec = codec;
    }

    public int Width => _codec.Info.Width;

    public int Height => _codec.Info.Height;

    /// <summary>Writes the largest centred square, scaled to the given side, as [3, size, size].</summary>
    public void CopyTo(Span<byte> image, int size)
    {
        // Without a colour space in the target, the stored values come as they are.
        using var whole = new SKBitmap(new SKImageInfo(Width, Height, SKColorType.Rgba8888, SKAlphaType.Unpremul));
        if (_codec.GetPixels(whole.Info, whole.GetPixels()) != SKCodecResult.Success)
            throw DataFile.Faulty(_name, "is cut off or garbled", "take it away or replace it");

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
}
