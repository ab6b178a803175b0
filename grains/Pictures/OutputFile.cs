using PixelCnnCluster.Files;
using SkiaSharp;

namespace PixelCnnCluster.Pictures;

/// <summary>Files for the user, whose folders are made where they lack.</summary>
internal static class OutputFile
{
    /// <exception cref="IOException">The disk refused; what was at <paramref name="path"/> before is there still.</exception>
    /// <exception cref="UnauthorizedAccessException">As above.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        WholeFile.Write(path, write);
    }

    /// <inheritdoc cref="Write"/>
    public static void WritePng(string path, SKBitmap bitmap)
    {
        // An exception must not pass through the native encoder, so it does not see the disk.
        using SKData png = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        Write(path, file => png.SaveTo(file));
    }
}
