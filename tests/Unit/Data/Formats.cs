using System.Buffers.Binary;
using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using SkiaSharp;

namespace PixelCnnCluster.Unit.Tests.Data;

/// <summary>Small writers of the published formats.</summary>
internal static class Formats
{
    /// <summary>Bytes that differ from image to image and from place to place.</summary>
    public static byte[] Pixels(int count, int bytesPerImage) =>
        [.. Enumerable.Range(0, count * bytesPerImage).Select(i => (byte)(i * 7 + i / bytesPerImage * 31))];

    public static byte[] Gzip(byte[] content)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
            gzip.Write(content);
        return packed.ToArray();
    }

    public static byte[] Idx(int magic, int[] shape, byte[] body)
    {
        byte[] header = new byte[4 + 4 * shape.Length];
        BinaryPrimitives.WriteInt32BigEndian(header, magic);
        for (int i = 0; i < shape.Length; i++)
            BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4 + 4 * i), shape[i]);
        return [.. header, .. body];
    }

    /// <summary>CIFAR-10's binary version.</summary>
    public static byte[] CifarBinary(byte[] labels, byte[] pixels) =>
        [.. labels.SelectMany((label, i) => pixels.AsSpan(i * 3072, 3072).ToArray().Prepend(label))];

    /// <summary>A batch of CIFAR-10's Python version, protocol 2: opcodes as in Python's pickletools.</summary>
    /// <param name="array">How the pixels are stored; null for as NumPy does.</param>
    /// <param name="extra">Opcodes of one more key and value of the dictionary.</param>
    public static byte[] CifarPickle(byte[] labels, byte[] pixels, PickledArray? array = null, string extra = "")
    {
        (string module, string type, bool asBytes, int? count) = array ?? new();
        using var pickle = new MemoryStream();
        void Text(string opcodes) => pickle.Write(Encoding.Latin1.GetBytes(opcodes));
        void Int(char opcode, int value)
        {
            Span<byte> bytes = stackalloc byte[4];
            BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
            Text(opcode.ToString());
            pickle.Write(bytes);
        }

        Text("\u0080\u0002}q\u0001(U\u0006labels](");
        foreach (byte label in labels)
            Text($"K{(char)label}");
        Text($"eU\u0004datac{module}\n_reconstruct\ncnumpy\nndarray\nK\0\u0085U\u0001b\u0087R(K\u0001");
        Int('J', count ?? labels.Length);
        Int('J', 3072);
        Text(
            $"\u0086cnumpy\ndtype\nU{(char)type.Length}{type}K\0K\u0001\u0087R(K\u0003U\u0001|NNN" +
            $"J\u00ff\u00ff\u00ff\u00ffJ\u00ff\u00ff\u00ff\u00ffK\0tb\u0089");
        Int(asBytes ? 'B' : 'T', pixels.Length);
        pickle.Write(pixels);
        Text($"tb{extra}u.");
        return pickle.ToArray();
    }

    public static byte[] Npy(string type, string shape, byte[] body, string order = "False")
    {
        byte[] header = Encoding.ASCII.GetBytes($"{{'descr': '{type}', 'fortran_order': {order}, 'shape': ({shape}), }}\n");
        return [0x93, .. "NUMPY\u0001\0"u8, (byte)header.Length, (byte)(header.Length >> 8), .. header, .. body];
    }

    public static byte[] Zip(params (string Name, byte[] Content)[] members)
    {
        using var packed = new MemoryStream();
        using (var zip = new ZipArchive(packed, ZipArchiveMode.Create))
        {
            foreach ((string name, byte[] content) in members)
            {
                using Stream member = zip.CreateEntry(name).Open();
                member.Write(content);
            }
        }
        return packed.ToArray();
    }

    public static byte[] Tar(params (string Name, byte[] Content)[] files) =>
        Tar([.. files.Select(
            file => new UstarTarEntry(TarEntryType.RegularFile, file.Name) { DataStream = new MemoryStream(file.Content) })]);

    public static byte[] Tar(params TarEntry[] entries)
    {
        using var packed = new MemoryStream();
        using (var tar = new TarWriter(packed))
        {
            foreach (TarEntry entry in entries)
                tar.WriteEntry(entry);
        }
        return packed.ToArray();
    }

    /// <summary>An image whose pixel (x, y) has the given colour.</summary>
    public static byte[] Picture(
        int width, int height, Func<int, int, SKColor> colour, SKEncodedImageFormat format = SKEncodedImageFormat.Png)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque));
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++)
                bitmap.SetPixel(x, y, colour(x, y));
        }
        using SKData data = bitmap.Encode(format, 100);
        return data.ToArray();
    }
}

/// <summary>An array of NumPy in a pickle.</summary>
/// <param name="Type">NumPy's name of its type.</param>
/// <param name="Count">Images that it claims to hold; null for as many as labels.</param>
internal sealed record PickledArray(
    string Module = "numpy.core.multiarray", string Type = "u1", bool AsBytes = false, int? Count = null);
