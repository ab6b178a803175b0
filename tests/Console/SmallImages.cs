using System.Buffers.Binary;

namespace PixelCnnCluster.Console.Tests;

/// <summary>A data set in the files of MNIST whose images are smaller: a run with it takes a small part of the time.</summary>
internal static class SmallImages
{
    public const int Size = 8, Pixels = Size * Size, Train = 4000, Test = 12;

    /// <summary>The flags of a run with the data set, which is written into a folder.</summary>
    public static string[] Flags(string folder, int size = Size)
    {
        Directory.CreateDirectory(folder);
        Write(folder, "train", Train, size);
        Write(folder, "t10k", Test, size);
        return ["--preset", "quick", "--data-set", "mnist", "--data-dir", folder];
    }

    /// <summary>A grey image of the size.</summary>
    public static byte[] Image(int factor, int size = Size) => [.. Enumerable.Range(0, size * size).Select(i => (byte)(i * factor))];

    private static void Write(string folder, string half, int count, int size)
    {
        File.WriteAllBytes(
            Path.Combine(folder, $"{half}-images-idx3-ubyte"),
            [.. Header(0x0803, count, size, size), .. Enumerable.Range(0, count).SelectMany(i => Image(i, size))]);
        File.WriteAllBytes(
            Path.Combine(folder, $"{half}-labels-idx1-ubyte"),
            [.. Header(0x0801, count), .. Enumerable.Range(0, count).Select(i => (byte)(i % 10))]);
    }

    private static byte[] Header(params int[] numbers)
    {
        byte[] header = new byte[numbers.Length * sizeof(int)];
        foreach ((int i, int number) in numbers.Index())
            BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(i * sizeof(int)), number);
        return header;
    }
}
