using PixelCnnCluster.Contracts;
using SkiaSharp;

namespace PixelCnnCluster.Pictures;

/// <summary>Single images as a model takes and gives them.</summary>
public static class PictureFile
{
    /// <summary>The least grey of a mask that counts as white.</summary>
    private const byte White = 128;

    private const int Opaque = 255;

    /// <summary>Reads a PNG or JPEG image; a grey one has red = green = blue where a model has three channels.</summary>
    /// <returns>[channels, size, size].</returns>
    /// <exception cref="UserErrorException">
    /// There is no such image, it is of another size, has colours for a model of one channel, or pixels that are not opaque.
    /// </exception>
    public static byte[] Read(string path, int channels, int size)
    {
        byte[] colour = ReadColour(path, size);
        return channels == 3 ? colour
            : Grey(colour) ?? throw new UserErrorException($"{path} is a colour image and the model's images are grey; give a grey one.");
    }

    /// <summary>Reads a black and white image that tells which pixels are kept.</summary>
    /// <returns>[size, size]: true for white, which is kept.</returns>
    /// <exception cref="UserErrorException">As for <see cref="Read"/>, and where all pixels or none would be kept.</exception>
    public static bool[] ReadMask(string path, int size)
    {
        byte[] grey = Grey(ReadColour(path, size))
            ?? throw new UserErrorException($"{path} is a colour image and a mask is black and white; give a grey one.");
        bool[] kept = [.. grey.Select(value => value >= White)];
        if (!kept.Contains(true))
            throw new UserErrorException($"{path} keeps nothing, for none of its pixels is white; paint white what is to be kept.");
        if (!kept.Contains(false))
            throw new UserErrorException(
                $"{path} keeps everything, for all of its pixels are white; paint black what is to be sampled anew.");
        return kept;
    }

    /// <summary>Writes a PNG of the image's own size, which is read back as the same bytes.</summary>
    /// <param name="image">[channels, size, size]; one channel becomes a grey PNG.</param>
    /// <exception cref="IOException">The disk refused; what was at <paramref name="path"/> before is there still.</exception>
    /// <exception cref="UnauthorizedAccessException">As above.</exception>
    public static void Write(string path, ReadOnlySpan<byte> image, int channels, int size)
    {
        using var bitmap = new SKBitmap(
            new SKImageInfo(size, size, channels == 1 ? SKColorType.Gray8 : SKColorType.Rgba8888, SKAlphaType.Opaque));
        Span<byte> canvas = bitmap.GetPixelSpan();
        if (channels == 1)
        {
            image.CopyTo(canvas);
        }
        else
        {
            int plane = size * size;
            for (int i = 0; i < plane; i++)
            {
                for (int c = 0; c < 3; c++)
                    canvas[(4 * i) + c] = image[(c * plane) + i];
                canvas[(4 * i) + 3] = Opaque;
            }
        }

        OutputFile.WritePng(path, bitmap);
    }

    /// <returns>[3, size, size].</returns>
    private static byte[] ReadColour(string path, int size)
    {
        using MemoryStream file = Open(path);
        using var picture = new Picture(path, file);
        if (picture.Width != size || picture.Height != size)
            throw new UserErrorException(
                $"{path} is {picture.Width}x{picture.Height} pixels and the model's images are {size}x{size}; give one of that size.");
        using SKBitmap bitmap = picture.Decode();
        ReadOnlySpan<byte> rgba = bitmap.GetPixelSpan();
        int plane = size * size;
        byte[] colour = new byte[3 * plane];
        for (int i = 0; i < plane; i++)
        {
            if (rgba[(4 * i) + 3] < Opaque)
                throw new UserErrorException($"{path} has pixels that are not opaque; save it without transparency.");
            for (int c = 0; c < 3; c++)
                colour[(c * plane) + i] = rgba[(4 * i) + c];
        }

        return colour;
    }

    /// <summary>A file's bytes, read before the native decoder sees them, which must never meet a failing disk.</summary>
    /// <exception cref="UserErrorException">It is empty or no file, or longer than any image.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static MemoryStream Load(string path)
    {
        // A pipe or a device has no length either, and whoever opens it may wait for ever.
        long length = new FileInfo(path).Length;
        if (length is 0 or > Picture.MostBytes)
            throw new UserErrorException(length == 0 ? $"{path} is empty, or no file; remove it."
                : $"{path} has more than {Picture.MostBytes} bytes; take it away or shrink it.");
        return new(File.ReadAllBytes(path), writable: false);
    }

    private static MemoryStream Open(string path)
    {
        if (Directory.Exists(path))
            throw new UserErrorException($"{path} is a folder where an image should be; give the path of a PNG or JPEG image.");
        if (!File.Exists(path))
            throw new UserErrorException($"There is no file '{path}'; give the path of a PNG or JPEG image.");
        try
        {
            return Load(path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{path} cannot be read ({fault.Message.TrimEnd('.')}); mend that or give another image.", fault);
        }
    }

    /// <summary>[size, size] from [3, size, size]; null where a pixel's three values differ.</summary>
    private static byte[]? Grey(byte[] colour)
    {
        int plane = colour.Length / 3;
        ReadOnlySpan<byte> red = colour.AsSpan(0, plane);
        return red.SequenceEqual(colour.AsSpan(plane, plane)) && red.SequenceEqual(colour.AsSpan(2 * plane)) ? red.ToArray() : null;
    }
}
