using System.Buffers.Binary;
using System.IO.Compression;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Faults;

/// <summary>A data set of a few of the bundled digits, so that scoring takes no time.</summary>
public static class FewDigits
{
    /// <summary>A model for it whose steps are short, dropout and all; it goes on until it is stopped or its steps are limited.</summary>
    public static RunSpec Spec { get; } = Presets.Quick with
    {
        DataSet = DataSet.Mnist,
        Filters = 8,
        Mixtures = 3,
        Shards = 4,
        BatchSize = 4,
        InitBatchSize = 16,
        Dropout = 0.5,
        MaxEpochs = 1_000_000,
        MaxMinutes = null,
        Samples = 0,
    };

    /// <summary>Writes 200 training and 20 test images to a new folder below another.</summary>
    public static string Write(string below)
    {
        string digits = Path.Combine(Path.GetDirectoryName(SiloProgram.Find(AppContext.BaseDirectory))!, "digits");
        string folder = Directory.CreateDirectory(Path.Combine(below, "digits")).FullName;
        foreach ((string set, int count) in new[] { ("train", 200), ("t10k", 20) })
        {
            Cut(digits, folder, $"{set}-images-idx3-ubyte", headerBytes: 16, count, itemBytes: 28 * 28);
            Cut(digits, folder, $"{set}-labels-idx1-ubyte", headerBytes: 8, count, itemBytes: 1);
        }

        return folder;
    }

    private static void Cut(string from, string to, string name, int headerBytes, int count, int itemBytes)
    {
        byte[] file = new byte[headerBytes + (count * itemBytes)];
        using (var source = new GZipStream(File.OpenRead(Path.Combine(from, name + ".gz")), CompressionMode.Decompress))
            source.ReadExactly(file);
        BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(4), count);
        File.WriteAllBytes(Path.Combine(to, name), file);
    }
}
