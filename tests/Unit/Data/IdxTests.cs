using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.Data;

namespace PixelCnnCluster.Unit.Tests.Data;

public sealed class IdxTests : IDisposable
{
    private const string TrainImages = "train-images-idx3-ubyte";
    private const string TrainLabels = "train-labels-idx1-ubyte";

    private static readonly byte[] Pixels = Formats.Pixels(3, 28 * 28);
    private static readonly byte[] Images = Formats.Idx(0x803, [3, 28, 28], Pixels);
    private static readonly byte[] Labels = Formats.Idx(0x801, [3], [7, 0, 9]);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Bundled_digits_load()
    {
        ImageData digits = ImageDataSets.Load(DataSet.Digits, "unused", 0);

        Assert.Equal((10_000, 1_000), (digits.Train.Count, digits.Test.Count));
        Assert.Equal((1, 28, 10), (digits.Train.Channels, digits.Train.Size, digits.Train.Classes));
        Assert.Equal([.. Enumerable.Range(0, 10)], Enumerable.Range(0, 1_000).Select(digits.Test.Label).Distinct().Order());
        // Ink is sparse, and present.
        Assert.All(Enumerable.Range(0, 1_000), i => Assert.InRange(digits.Test.Image(i).ToArray().Average(value => value), 3, 110));
    }

    [Theory]
    [InlineData(DataSet.Mnist, "", true)]
    [InlineData(DataSet.Mnist, "mnist", true)]
    [InlineData(DataSet.Mnist, "mnist", false)]
    [InlineData(DataSet.Mnist, "MNIST/raw", false)]
    [InlineData(DataSet.FashionMnist, "", false)]
    [InlineData(DataSet.FashionMnist, "fashion-mnist", true)]
    [InlineData(DataSet.FashionMnist, "FashionMNIST/raw", true)]
    public void Images_come_with_their_labels_from_every_place(DataSet dataSet, string place, bool gzip)
    {
        WriteAll(place, gzip);

        ImageSet train = ImageDataSets.Load(dataSet, _folder.Path, 0).Train;

        Assert.Equal((3, 1, 28, 10), (train.Count, train.Channels, train.Size, train.Classes));
        Assert.Equal([7, 0, 9], new[] { train.Label(0), train.Label(1), train.Label(2) });
        Assert.Equal(Pixels, (byte[])[.. train.Image(0), .. train.Image(1), .. train.Image(2)]);
    }

    public static TheoryData<string, byte[], string> Faults => new()
    {
        { TrainImages, [], "is empty" },
        { TrainImages, Images[..9], "is not an IDX file of images" },
        { TrainImages, Labels, "is not an IDX file of images" },
        { TrainImages, [.. "<html>Not found</html>"u8], "is not an IDX file of images" },
        { TrainImages, Images[..^1], "is too short" },
        { TrainImages, [.. Images, 0], "more bytes than its records need" },
        { TrainImages, Formats.Gzip(Images)[..^30], "train-images" },
        { TrainImages, Formats.Gzip([.. Images, 0]), "more bytes than its records need" },
        { TrainImages, [0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8], "cut off or garbled" },
        { TrainImages, Formats.Idx(0x803, [3, 28, 27], Pixels), "28x27 pixels" },
        { TrainImages, Formats.Idx(0x803, [3, 30, 30], Pixels), "30x30 pixels" },
        { TrainImages, Formats.Idx(0x803, [3, 68, 68], Pixels), "68x68 pixels" },
        { TrainImages, Formats.Idx(0x803, [3, 32, 32], Formats.Pixels(3, 32 * 32)), "side 32" },
        { TrainImages, Formats.Idx(0x803, [2, 28, 28], Pixels), "2 images" },
        { TrainImages, Formats.Idx(0x803, [-1, 28, 28], Pixels), "claims to hold 4294967295 images" },
        { TrainImages, Formats.Idx(0x803, [0, 28, 28], []), "claims to hold 0 images" },
        { TrainLabels, [], "is empty" },
        { TrainLabels, Images, "is not an IDX file of labels" },
        { TrainLabels, Labels[..^1], "is too short" },
        { TrainLabels, [.. Labels, 0], "more bytes than its records need" },
        { TrainLabels, Formats.Idx(0x801, [3], [7, 10, 9]), "label 10" },
        { TrainLabels, Formats.Idx(0x801, [int.MaxValue], [7, 10, 9]), "claims to hold 2147483647 labels" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_wrong_file_is_refused_by_name(string name, byte[] content, string fault)
    {
        WriteAll("mnist", gzip: false);
        _folder.Write($"mnist/{name}", content);

        _folder.AssertRefused(DataSet.Mnist, 0, name, fault);
    }

    [Fact]
    public void A_gzip_bomb_is_left_after_what_its_header_promises()
    {
        WriteAll("mnist", gzip: false);
        _folder.Write($"mnist/{TrainImages}", Formats.Gzip([.. Images, .. new byte[64 << 20]]));

        long before = GC.GetAllocatedBytesForCurrentThread();
        _folder.AssertRefused(DataSet.Mnist, 0, TrainImages, "more bytes than its records need");
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 8 << 20);
    }

    [Fact]
    public void A_folder_in_the_place_of_a_file_is_refused()
    {
        WriteAll("mnist", gzip: false);
        Directory.CreateDirectory(Path.Combine(_folder.Path, "mnist", $"{TrainImages}.gz"));

        _folder.AssertRefused(DataSet.Mnist, 0, $"{TrainImages}.gz", "is a folder where a file should be");
    }

    [Fact]
    public void A_missing_file_is_named_with_its_place_and_address()
    {
        WriteAll("mnist", gzip: false);
        File.Delete(Path.Combine(_folder.Path, "mnist", TrainLabels));

        _folder.AssertRefused(
            DataSet.Mnist, 0, $"{TrainLabels}.gz from https://ossci-datasets.s3.amazonaws.com/mnist/ into {_folder.Path}/mnist");
    }

    [Fact]
    public void A_missing_folder_and_a_file_in_its_place_are_told_apart()
    {
        string file = _folder.Write("data", [1]);

        Assert.Contains("is a file, not a folder", Refuse(file), StringComparison.Ordinal);
        Assert.Contains("does not exist", Refuse(Path.Combine(_folder.Path, "nowhere")), StringComparison.Ordinal);

        static string Refuse(string dataDir) =>
            Assert.Throws<UserErrorException>(() => ImageDataSets.Load(DataSet.FashionMnist, dataDir, 0)).Message;
    }

    private void WriteAll(string place, bool gzip)
    {
        foreach (string half in new[] { "train", "t10k" })
        {
            Write($"{half}-images-idx3-ubyte", Images);
            Write($"{half}-labels-idx1-ubyte", Labels);
        }

        void Write(string name, byte[] content) =>
            _folder.Write(Path.Combine(place, gzip ? $"{name}.gz" : name), gzip ? Formats.Gzip(content) : content);
    }
}
