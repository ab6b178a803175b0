using System.IO.Compression;
using PixelCnnCluster.Pictures;

namespace PixelCnnCluster.Training.Data;

/// <summary>
/// ImageNet at 32x32 or 64x64: the labelled batches of arXiv 1707.08819 as .npz files, or the unlabelled PNG files of arXiv 1601.06759 as
/// tar files.
/// </summary>
internal static class SmallImageNet
{
    private const int Classes = 1000;

    /// <summary>Of a set. The whole training set holds 1,281,167.</summary>
    private const int MostImages = 1_300_000;

    /// <summary>Several times an uncompressed image.</summary>
    private const int MostPngBytes = 1 << 20;

    /// <returns>Null when the folder holds neither of the two.</returns>
    public static ImageData? Load(string dataDir, int size)
    {
        string[] batches = [.. Enumerable.Range(1, 10).Select(i => Path.Combine(dataDir, $"train_data_batch_{i}.npz"))];
        string validation = Path.Combine(dataDir, "val_data.npz");
        if (Path.Exists(batches[0]) && Path.Exists(validation))
        {
            int last = Array.FindLastIndex(batches, Path.Exists);
            if (batches.Take(last).FirstOrDefault(batch => !Path.Exists(batch)) is { } missing)
                throw DataFile.Faulty(missing, "is missing between the other batches", "add it or take the later ones away");
            return new(ReadBatches(batches[..(last + 1)], size), ReadBatches([validation], size));
        }
        string train = Path.Combine(dataDir, $"train_{size}x{size}.tar");
        string test = Path.Combine(dataDir, $"valid_{size}x{size}.tar");
        return Path.Exists(train) && Path.Exists(test) ? new(ReadPictures(train, size), ReadPictures(test, size)) : null;
    }

    private static ImageSet ReadBatches(string[] paths, int size)
    {
        var builder = new ImageSetBuilder(3, size, Classes);
        foreach (string path in paths)
        {
            // A zip is read from its end, so one that is packed again would be unpacked into memory whole.
            using FileStream file = DataFile.OpenPacked(path);
            using ZipArchive zip = DataFile.Parse(path, () => new ZipArchive(file, ZipArchiveMode.Read));
            ReadBatch(path, zip, builder);
        }
        return builder.Build();
    }

    private static void ReadBatch(string path, ZipArchive zip, ImageSetBuilder builder)
    {
        int size = builder.Size;
        using var labels = NpyMember.Open(path, zip, "labels.npy");
        if (labels.Shape is not [>= 1 and <= MostImages] || builder.Count + labels.Shape[0] > MostImages)
            throw labels.File.Fault(
                $"has shape ({string.Join(", ", labels.Shape)}) where one row of labels should be, of at most {MostImages} in all files");
        long[] classes = labels.ReadIntegers();
        labels.ExpectEnd();

        using var data = NpyMember.Open(path, zip, "data.npy");
        if (data is not { Type: "|u1", Shape: [_, var bytes] } || bytes != 3 * size * size)
            throw data.File.Fault(
                $"holds {data.Type} of shape ({string.Join(", ", data.Shape)}), not the bytes of {size}x{size} images",
                "take the batches of the right --image-size");
        if (data.Shape[0] != classes.Length)
            throw data.File.Fault($"holds {data.Shape[0]} images, but labels.npy {classes.Length} labels");
        foreach (long label in classes)
        {
            if (label is < 1 or > Classes)
                throw labels.File.Fault($"holds label {label}, beyond the classes 1 to {Classes}");
            data.File.ReadExactly(builder.Add((int)label - 1));
        }
        data.ExpectEnd();
    }

    private static ImageSet ReadPictures(string path, int size)
    {
        var builder = new ImageSetBuilder(3, size, classes: 0);
        foreach ((_, DataFile file) in TarFiles.Read(path, MostPngBytes))
        {
            if (builder.Count == MostImages)
                throw file.Fault($"is one more than the {MostImages} images of a set");
            using MemoryStream content = file.ReadAll(MostPngBytes);
            using var picture = new Picture(file.Name, content);
            if (picture.Width != size || picture.Height != size)
                throw file.Fault(
                    $"is {picture.Width}x{picture.Height} pixels instead of {size}x{size}", "take the archive of the right --image-size");
            picture.CopyTo(builder.Add(0), size);
        }
        return builder.Count > 0 ? builder.Build() : throw DataFile.Faulty(path, "holds no images", "download it again");
    }
}
