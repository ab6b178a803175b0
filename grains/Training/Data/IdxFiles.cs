using System.Buffers.Binary;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Training.Data;

/// <summary>MNIST's own format, IDX (http://yann.lecun.com/exdb/mnist): big-endian magic and dimensions, then bytes.</summary>
internal static class IdxFiles
{
    private const int Labels = 0x0801;
    private const int Images = 0x0803;
    private const int Classes = 10;

    /// <summary>Ten times what the published files hold; a header that promises more is garbled.</summary>
    private const int MostImages = 600_000;

    private static readonly string[] DigitsFiles =
        ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"];

    /// <summary>The digits that come with the program.</summary>
    public static ImageData LoadDigits() => Load([.. DigitsFiles.Select(name => Path.Combine(AppContext.BaseDirectory, "digits", name))]);

    /// <param name="paths">Training images and labels, test images and labels.</param>
    public static ImageData Load(IReadOnlyList<string> paths)
    {
        ImageSet train = Read(paths[0], paths[1]);
        ImageSet test = Read(paths[2], paths[3]);
        if (train.Size != test.Size)
            throw DataFile.Faulty(
                paths[2], $"holds images of side {test.Size}, but those of {paths[0]} have side {train.Size}",
                "take both from one data set");
        return new(train, test);
    }

    private static ImageSet Read(string imagesPath, string labelsPath)
    {
        using var labelsFile = DataFile.Open(labelsPath);
        byte[] labels = new byte[ReadHeader(labelsFile, Labels)[0]];
        labelsFile.ReadExactly(labels);
        labelsFile.ExpectEnd();

        using var images = DataFile.Open(imagesPath);
        int[] shape = ReadHeader(images, Images);
        if (shape[1] != shape[2] || !ModelValidation.IsImageSize(shape[1]))
            throw images.Fault(
                $"holds images of {shape[1]}x{shape[2]} pixels", "give square images whose side is a multiple of 4 from 8 to 64");
        if (shape[0] != labels.Length)
            throw images.Fault($"holds {shape[0]} images, but {labelsPath} {labels.Length} labels", "download both again");

        var builder = new ImageSetBuilder(1, shape[1], Classes);
        foreach (byte label in labels)
        {
            if (label >= Classes)
                throw labelsFile.Fault($"holds label {label}, beyond the classes 0 to {Classes - 1}");
            images.ReadExactly(builder.Add(label));
        }
        images.ExpectEnd();
        return builder.Build();
    }

    private static int[] ReadHeader(DataFile file, int magic)
    {
        string kind = magic == Images ? "images" : "labels";
        int dimensions = magic & 0xff;
        byte[] header = new byte[4 * (1 + dimensions)];
        int read = file.Read(header);
        if (read == 0)
            throw file.Fault("is empty");
        if (read < header.Length || BinaryPrimitives.ReadInt32BigEndian(header) != magic)
            throw file.Fault($"is not an IDX file of {kind}: it does not begin with 0x{magic:x8} and {dimensions} dimensions");
        int[] shape = [.. Enumerable.Range(1, dimensions).Select(i => BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(4 * i)))];
        if (shape[0] is < 1 or > MostImages)
            throw file.Fault($"claims to hold {(uint)shape[0]} {kind}");
        return shape;
    }
}
