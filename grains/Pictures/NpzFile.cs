using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Pictures;

/// <summary>
/// NumPy's .npz, a zip of .npy files (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), with the names of
/// numpy.savez(file, images, labels), which the evaluators of https://github.com/openai/guided-diffusion read.
/// </summary>
public static class NpzFile
{
    /// <summary>The elements begin at a multiple of this.</summary>
    private const int Alignment = 64;

    /// <summary>The earliest that a zip can tell: equal images make equal files.</summary>
    private static readonly DateTimeOffset Written = new(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Magic, version 1.0 and the two bytes of the header's length.</summary>
    private const int Preamble = 10;

    /// <summary>Writes arr_0, the images as bytes [N, H, W, C], and arr_1, the labels as 64-bit integers [N], if there are any.</summary>
    /// <exception cref="IOException">The disk refused; what was at <paramref name="path"/> before is there still.</exception>
    /// <exception cref="UnauthorizedAccessException">As above.</exception>
    public static void Write(string path, ImageStack images, int[]? labels) => OutputFile.Write(path, file =>
    {
        using var zip = new ZipArchive(file, ZipArchiveMode.Create, leaveOpen: true);
        Add(zip, "arr_0", "|u1", $"{images.Count}, {images.Size}, {images.Size}, {images.Channels}", ChannelsLast(images));
        if (labels is not null)
            Add(zip, "arr_1", "<i8", $"{labels.Length},", LittleEndian(labels));
    });

    private static void Add(ZipArchive zip, string name, string type, string shape, IEnumerable<byte[]> elements)
    {
        string header = $"{{'descr': '{type}', 'fortran_order': False, 'shape': ({shape}), }}";
        int length = ((Preamble + header.Length) / Alignment * Alignment) + Alignment - Preamble;
        ZipArchiveEntry entry = zip.CreateEntry($"{name}.npy", CompressionLevel.NoCompression);
        entry.LastWriteTime = Written;
        using Stream member = entry.Open();
        member.Write([0x93, .. "NUMPY"u8, 1, 0, (byte)length, (byte)(length >> 8)]);
        member.Write(Encoding.ASCII.GetBytes(header.PadRight(length - 1) + "\n"));
        foreach (byte[] part in elements)
            member.Write(part);
    }

    /// <summary>An image at a time, [Size, Size, Channels].</summary>
    private static IEnumerable<byte[]> ChannelsLast(ImageStack images)
    {
        int plane = images.Size * images.Size;
        byte[] image = new byte[images.ImageBytes];
        for (int i = 0; i < images.Count; i++)
        {
            ReadOnlySpan<byte> planes = images.Image(i);
            for (int c = 0; c < images.Channels; c++)
            {
                for (int p = 0; p < plane; p++)
                    image[(p * images.Channels) + c] = planes[(c * plane) + p];
            }

            yield return image;
        }
    }

    private static IEnumerable<byte[]> LittleEndian(int[] labels)
    {
        byte[] wide = new byte[sizeof(long)];
        foreach (int label in labels)
        {
            BinaryPrimitives.WriteInt64LittleEndian(wide, label);
            yield return wide;
        }
    }
}
