using PixelCnnCluster.Contracts;
using SkiaSharp;

namespace PixelCnnCluster.Pictures;

internal static class Png
{
    /// <exception cref="IOException">The disk refused; what was at <paramref name="path"/> before is there still.</exception>
    /// <exception cref="UnauthorizedAccessException">As above.</exception>
    public static void Write(string path, SKBitmap bitmap)
    {
        // An exception must not pass through the native encoder, so it does not see the disk.
        using SKData png = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        WholeFile.Write(path, file => png.SaveTo(file));
    }
}
