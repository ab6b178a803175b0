using System.Buffers.Binary;
using System.IO.Compression;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Faults;

/// <summary>A data set of a few of the bundled digits at 8x8 pixels, so that steps and scores take milliseconds.</summary>
public static class SmallDigits
{
    private const int Size = 8, Scale = 3, SourceSize = 28, Margin = (SourceSize - (Size * Scale)) / 2;

    private const int ImageHeader = 16, LabelHeader = 8;

    /// <summary>
    /// A model for it whose steps are short, dropout and all, ten to an epoch; it goes on until it is stopped or its steps are limited.
    /// What a shard costs is calls, not pixels, so three shards are the fewest for three workers.
    /// </summary>
    public static RunSpec Spec { get; } = Presets.Quick with
    {
        Data = Presets.Quick.Data with { DataSet = DataSet.Mnist },
        Model = Presets.Quick.Model with { Filters = 8, Mixtures = 3, Dropout = 0.5 },
        Optimiser = Presets.Quick.Optimiser with { Shards = 3, BatchSize = 2, InitBatchSize = 8 },
        Schedule = Presets.Quick.Schedule with { Schedule = LearningRateSchedule.Exponential },
        Limits = Presets.Quick.Limits with { MaxEpochs = 1_000_000, MaxMinutes = null },
        Output = Presets.Quick.Output with { Samples = 0 },
    };

    /// <summary>Writes 60 training and 8 test images to a new folder below another.</summary>
    public static string Write(string below)
    {
        string folder = Directory.CreateDirectory(Path.Combine(below, "digits")).FullName;
        foreach ((string set, int count) in new[] { ("train", 60), ("t10k", 8) })
        {
            byte[] images = Read($"{set}-images-idx3-ubyte", ImageHeader + (count * SourceSize * SourceSize));
            byte[] header = images[..ImageHeader];
            BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), count);
            BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(8), Size);
            BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(12), Size);
            File.WriteAllBytes(
                Path.Combine(folder, $"{set}-images-idx3-ubyte"),
                [.. header,
                    .. Enumerable.Range(0, count).SelectMany(i => Shrink(images.AsSpan(ImageHeader + (i * SourceSize * SourceSize))))]);

            byte[] labels = Read($"{set}-labels-idx1-ubyte", LabelHeader + count);
            BinaryPrimitives.WriteInt32BigEndian(labels.AsSpan(4), count);
            File.WriteAllBytes(Path.Combine(folder, $"{set}-labels-idx1-ubyte"), labels);
        }

        return folder;
    }

    /// <summary>Each pixel is the mean of nine; the source's empty margin is left out.</summary>
    private static byte[] Shrink(ReadOnlySpan<byte> source)
    {
        byte[] image = new byte[Size * Size];
        for (int i = 0; i < image.Length; i++)
        {
            int sum = 0;
            for (int j = 0; j < Scale * Scale; j++)
                sum += source[((Margin + (i / Size * Scale) + (j / Scale)) * SourceSize) + Margin + (i % Size * Scale) + (j % Scale)];
            image[i] = (byte)(sum / (Scale * Scale));
        }

        return image;
    }

    private static byte[] Read(string name, int bytes)
    {
        string path = Path.Combine(Path.GetDirectoryName(SiloProgram.Find(AppContext.BaseDirectory))!, "digits", name + ".gz");
        byte[] read = new byte[bytes];
        using var source = new GZipStream(File.OpenRead(path), CompressionMode.Decompress);
        source.ReadExactly(read);
        return read;
    }
}
