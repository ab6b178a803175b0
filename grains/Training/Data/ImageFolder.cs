using PixelCnnCluster.Files;
using PixelCnnCluster.Pictures;

namespace PixelCnnCluster.Training.Data;

/// <summary>
/// The user's own PNG and JPEG images: sub-folders are classes, in the order of their names, and train/ and test/ the two halves;
/// without these, every tenth image is for testing.
/// </summary>
internal static class ImageFolder
{
    /// <summary>Links are passed over: each file counts once.</summary>
    private const FileAttributes Skipped = FileAttributes.Hidden | FileAttributes.ReparsePoint;

    private static readonly EnumerationOptions Here = new() { AttributesToSkip = Skipped, IgnoreInaccessible = false };

    private static readonly EnumerationOptions Below =
        new() { AttributesToSkip = Skipped, IgnoreInaccessible = false, RecurseSubdirectories = true, MaxRecursionDepth = 8 };

    private static readonly EnumerationOptions WithLinks =
        new() { AttributesToSkip = FileAttributes.Hidden, IgnoreInaccessible = false };

    private readonly record struct Labelled(string Path, int Label);

    public static ImageData Load(string folder, int size)
    {
        RefuseForeignLinks(folder, RealPath.Of(folder));
        string train = Path.Combine(folder, "train");
        string test = Path.Combine(folder, "test");
        if (Directory.Exists(train) != Directory.Exists(test))
            throw DataFile.Faulty(folder, "has only one of the folders train and test", "add the other or rename the one");

        string[] classes = ListFolders(Directory.Exists(train) ? train : folder);
        (List<Labelled> Train, List<Labelled> Test) halves;
        if (Directory.Exists(train))
        {
            if (!ListFolders(test).SequenceEqual(classes))
                throw DataFile.Faulty(test, $"has not the same class folders as {train}", "give both the same");
            halves = (List(train, classes), List(test, classes));
        }
        else
        {
            List<Labelled> images = List(folder, classes);
            if (images.Count < 10)
                throw DataFile.Faulty(
                    folder, $"holds {images.Count} images, and every tenth is for testing",
                    "give ten or more, or the folders train and test");
            halves = ([.. images.Where((_, i) => i % 10 != 9)], [.. images.Where((_, i) => i % 10 == 9)]);
        }

        // Whether all are grey is known at the end; most that are not show it with the first.
        return Read(1) ?? Read(3)!;

        ImageData? Read(int channels) =>
            ImageFolder.Read(halves.Test, channels, size, classes.Length) is { } readTest
                && ImageFolder.Read(halves.Train, channels, size, classes.Length) is { } readTrain
            ? new(readTrain, readTest)
            : null;
    }

    /// <summary>A link that leads up or out brings in images that are elsewhere for another purpose, such as testing.</summary>
    /// <param name="root">Real path of the data folder.</param>
    private static void RefuseForeignLinks(string folder, string root)
    {
        foreach (FileSystemInfo entry in new DirectoryInfo(folder).EnumerateFileSystemInfos("*", WithLinks))
        {
            if (entry.LinkTarget is null)
            {
                if (entry is DirectoryInfo)
                    RefuseForeignLinks(entry.FullName, root);
                continue;
            }

            string real = RealPath.Of(entry.FullName);
            if (!RealPath.IsWithin(real, root) || RealPath.IsWithin(RealPath.Of(folder), real))
            {
                throw DataFile.Faulty(
                    entry.FullName, $"is a link to {real}, which is not below {root}", "put the images themselves there, or remove it");
            }
        }
    }

    private static List<Labelled> List(string folder, string[] classes)
    {
        List<Labelled> images = classes.Length == 0
            ? [.. ListFiles(folder, Below).Select(path => new Labelled(path, 0))]
            : [.. classes.SelectMany(
                (name, label) => ListFiles(Path.Combine(folder, name), Below).Select(path => new Labelled(path, label)))];
        if (images.Count == 0)
            throw DataFile.Faulty(folder, "holds no images", "put PNG or JPEG images there");
        if (classes.Length > 0 && ListFiles(folder, Here).FirstOrDefault() is { } loose)
            throw DataFile.Faulty(loose, "lies beside the class folders", "move it into one of them");
        return images;
    }

    private static string[] ListFolders(string folder) =>
        [.. Directory.EnumerateDirectories(folder, "*", Here).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    private static IEnumerable<string> ListFiles(string folder, EnumerationOptions options) =>
        Directory.EnumerateFiles(folder, "*", options).Order(StringComparer.Ordinal);

    /// <returns>Null if one channel is asked for and an image has colours.</returns>
    private static ImageSet? Read(List<Labelled> images, int channels, int size, int classes)
    {
        var builder = new ImageSetBuilder(channels, size, classes);
        byte[] colours = new byte[3 * size * size];
        foreach ((string path, int label) in images)
        {
            using MemoryStream file = PictureFile.Load(path);
            using var picture = new Picture(path, file);
            picture.CopyTo(colours, size);
            if (channels == 1 && !IsGrey(colours))
                return null;
            colours.AsSpan(0, channels * size * size).CopyTo(builder.Add(label));
        }

        return builder.Build();
    }

    /// <param name="image">[3, size, size]</param>
    private static bool IsGrey(ReadOnlySpan<byte> image)
    {
        int pixels = image.Length / 3;
        return image[..pixels].SequenceEqual(image[pixels..(2 * pixels)]) && image[..pixels].SequenceEqual(image[(2 * pixels)..]);
    }
}
