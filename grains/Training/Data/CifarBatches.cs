namespace PixelCnnCluster.Training.Data;

/// <summary>
/// CIFAR-10 (https://www.cs.toronto.edu/~kriz/cifar.html) in its binary or Python version, unpacked or straight from the archive.
/// </summary>
internal static class CifarBatches
{
    public const int Classes = 10;
    public const int Size = 32;
    public const int ImageBytes = 3 * Size * Size;
    public const int MostImages = 10_000;

    /// <summary>Twice the largest file of the published archives.</summary>
    public const int MostBytes = 64 << 20;

    /// <param name="path">The archive, or the first batch of an unpacked one.</param>
    public static ImageData Load(string path)
    {
        bool binary = path.EndsWith(".bin", StringComparison.Ordinal) || path.EndsWith("binary.tar.gz", StringComparison.Ordinal);
        string suffix = binary ? ".bin" : "";

        // Always in this order, whatever that of the archive, so that an image has one index.
        return new(
            Read([.. Enumerable.Range(1, 5).Select(i => $"data_batch_{i}{suffix}")]),
            Read([$"test_batch{suffix}"]));

        ImageSet Read(string[] names)
        {
            var builder = new ImageSetBuilder(3, Size, Classes);
            foreach (string name in names)
            {
                Use(path, name, file =>
                {
                    int before = builder.Count;
                    if (binary)
                        ReadRecords(file, builder);
                    else
                        CifarPickle.Read(file, builder);
                    if (builder.Count == before)
                        throw file.Fault("is empty");
                });
            }
            return builder.Build();
        }
    }

    private static void Use(string path, string name, Action<DataFile> read)
    {
        if (!path.EndsWith(".tar.gz", StringComparison.Ordinal))
        {
            string folder = Path.GetDirectoryName(path)!;
            string beside = Path.Combine(folder, name);
            if (!Path.Exists(beside))
                throw DataFile.Faulty(folder, $"lacks {name}", "unpack the whole of CIFAR-10 there");
            using var file = DataFile.Open(beside);
            read(file);
            return;
        }
        foreach ((string entry, DataFile member) in TarFiles.Read(path, MostBytes))
        {
            if (Path.GetFileName(entry) != name)
                continue;
            read(member);
            return;
        }
        throw DataFile.Faulty(path, $"lacks {name}", "download it again");
    }

    /// <summary>A record is a label, 1,024 red bytes, 1,024 green and 1,024 blue.</summary>
    private static void ReadRecords(DataFile file, ImageSetBuilder builder)
    {
        Span<byte> label = stackalloc byte[1];
        for (int record = 0; file.Read(label) == 1; record++)
        {
            if (record == MostImages)
                throw file.Fault($"holds more than the {MostImages} records of a batch");
            if (label[0] >= Classes)
                throw file.Fault($"has label {label[0]} in record {record}, beyond the classes 0 to {Classes - 1}");
            file.ReadExactly(builder.Add(label[0]));
        }
    }
}
