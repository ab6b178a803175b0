using PixelCnnCluster.Contracts;
using SkiaSharp;

namespace PixelCnnCluster.Pictures;

/// <summary>A picture of many images side by side.</summary>
public static class PictureGrid
{
    private const int Gap = 2;
    private const int LeastSide = 480;

    /// <summary>Writes a PNG of the images, row by row, enlarged by a whole factor.</summary>
    /// <param name="columns">Images in a row; null for as square a grid as can be.</param>
    /// <exception cref="IOException">The disk refused; what was at <paramref name="path"/> before is there still.</exception>
    /// <exception cref="UnauthorizedAccessException">As above.</exception>
    public static void Write(string path, ImageStack images, int? columns = null)
    {
        using SKBitmap bitmap = Render(images, columns);
        OutputFile.WritePng(path, bitmap);
    }

    /// <summary>The bytes of such a PNG, as square as can be.</summary>
    public static byte[] Png(ImageStack images)
    {
        using SKBitmap bitmap = Render(images, columns: null);
        using SKData png = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        return png.ToArray();
    }

    private static SKBitmap Render(ImageStack images, int? columns)
    {
        int across = columns ?? (int)Math.Ceiling(Math.Sqrt(images.Count)), down = (images.Count + across - 1) / across;
        int size = images.Size, scale = Math.Max(1, LeastSide / (across * size));
        int cell = (size * scale) + Gap;
        ImageStack colour = images.ToColour();
        var bitmap = new SKBitmap((across * cell) + Gap, (down * cell) + Gap, SKColorType.Rgba8888, SKAlphaType.Opaque);
        bitmap.Erase(SKColors.White);
        Span<byte> canvas = bitmap.GetPixelSpan();
        for (int i = 0; i < images.Count; i++)
        {
            ReadOnlySpan<byte> image = colour.Image(i);
            int left = Gap + (i % across * cell), top = Gap + (i / across * cell);
            for (int y = 0; y < size * scale; y++)
            {
                for (int x = 0; x < size * scale; x++)
                {
                    int source = (y / scale * size) + (x / scale);
                    int target = (((top + y) * bitmap.Width) + left + x) * 4;
                    for (int c = 0; c < 3; c++)
                        canvas[target + c] = image[(c * size * size) + source];
                }
            }
        }

        return bitmap;
    }
}
