using System.Formats.Tar;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.Data;

namespace PixelCnnCluster.Unit.Tests.Data;

public sealed class CifarTests : IDisposable
{
    private static readonly byte[] Pixels = Formats.Pixels(2, 3072);
    private static readonly byte[] Binary = Formats.CifarBinary([3, 9], Pixels);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("", true)]
    [InlineData("cifar-10-batches-bin", true)]
    [InlineData("cifar10/cifar-10-batches-bin", true)]
    [InlineData("", false)]
    [InlineData("cifar-10-batches-py", false)]
    [InlineData("cifar10/cifar-10-batches-py", false)]
    public void Batches_load_from_every_place(string place, bool binary)
    {
        foreach ((string name, byte[] content) in Batches(binary))
            _folder.Write(Path.Combine(place, name), content);

        AssertLoads();
    }

    [Theory]
    [InlineData("cifar-10-binary.tar.gz", true)]
    [InlineData("cifar10/cifar-10-binary.tar.gz", true)]
    [InlineData("cifar-10-python.tar.gz", false)]
    [InlineData("cifar10/cifar-10-python.tar.gz", false)]
    public void Batches_load_from_the_archive_in_the_order_of_their_names(string place, bool binary)
    {
        IEnumerable<TarEntry> entries = Batches(binary).Reverse().Select(batch => File($"cifar-10/{batch.Name}", batch.Content));
        _folder.Write(place, Formats.Gzip(Formats.Tar(
            [new UstarTarEntry(TarEntryType.Directory, "cifar-10/"), File("cifar-10/readme.html", [.. "<html>"u8]), .. entries])));

        AssertLoads();
    }

    public static TheoryData<byte[], string> Faults => new()
    {
        { [], "is empty" },
        { Binary[..^1], "is too short" },
        { [.. Binary, 0], "is too short" },
        { [.. Binary, 10, .. new byte[3072]], "label 10 in record 2" },
        { [.. "<html>"u8], "label 60 in record 0" },
        { new byte[3073 * 10_001], "more than the 10000 records" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_wrong_batch_is_refused_by_name(byte[] content, string fault)
    {
        foreach ((string name, byte[] batch) in Batches(binary: true))
            _folder.Write(name, batch);
        _folder.Write("data_batch_4.bin", content);

        _folder.AssertRefused(DataSet.Cifar, 0, "data_batch_4.bin", fault);
    }

    [Fact]
    public void A_missing_batch_is_named()
    {
        foreach ((string name, byte[] batch) in Batches(binary: true).Where(batch => batch.Name != "test_batch.bin"))
            _folder.Write(name, batch);

        _folder.AssertRefused(DataSet.Cifar, 0, _folder.Path, "lacks test_batch.bin");
    }

    public static TheoryData<TarEntry, string> BadEntries => new()
    {
        { File("../data_batch_1.bin", Binary), "../data_batch_1.bin, which points outside" },
        { File("/tmp/data_batch_1.bin", Binary), "/tmp/data_batch_1.bin, which points outside" },
        { File("a\\..\\data_batch_1.bin", Binary), "which points outside" },
        { new UstarTarEntry(TarEntryType.SymbolicLink, "data_batch_1.bin") { LinkName = "/etc/passwd" },
            "data_batch_1.bin, which is a SymbolicLink" },
        { new UstarTarEntry(TarEntryType.HardLink, "data_batch_1.bin") { LinkName = "/etc/passwd" },
            "data_batch_1.bin, which is a HardLink" },
        { File("data_batch_1.bin", new byte[65 << 20]), $"{65 << 20} bytes, too many" },
        { File("data_batch_2.bin", Binary), "lacks data_batch_1.bin" },
        { File("data_batch_1.bin", []), "data_batch_1.bin is empty" },
    };

    [Theory]
    [MemberData(nameof(BadEntries), DisableDiscoveryEnumeration = true)]
    public void An_archive_with_a_bad_entry_is_refused(TarEntry entry, string fault)
    {
        _folder.Write("cifar-10-binary.tar.gz", Formats.Gzip(Formats.Tar(entry)));

        _folder.AssertRefused(DataSet.Cifar, 0, "cifar-10-binary.tar.gz", fault);
    }

    [Fact]
    public void An_archive_that_is_cut_off_or_none_is_refused()
    {
        byte[] whole = Formats.Gzip(Formats.Tar([.. Batches(binary: true)]));
        foreach (byte[] content in new[] { whole[..(whole.Length / 2)], [], [.. "<html>Not found</html>"u8], Formats.Gzip(Binary), Binary })
        {
            _folder.Write("cifar-10-binary.tar.gz", content);
            _folder.AssertRefused(DataSet.Cifar, 0, "cifar-10-binary.tar.gz", "download it again");
        }
    }

    [Fact]
    public void A_missing_set_is_told_with_its_address() =>
        _folder.AssertRefused(
            DataSet.Cifar, 0, "cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/", $"into {_folder.Path}/cifar10");

    /// <summary>Each batch has two records, labelled with the number of the batch and 9.</summary>
    private static IEnumerable<(string Name, byte[] Content)> Batches(bool binary)
    {
        for (byte batch = 1; batch <= 6; batch++)
        {
            string name = batch == 6 ? "test_batch" : $"data_batch_{batch}";
            byte[] labels = [batch, 9];
            yield return binary
                ? ($"{name}.bin", Formats.CifarBinary(labels, Pixels))
                : (name, Formats.CifarPickle(labels, Pixels));
        }
    }

    private static UstarTarEntry File(string name, byte[] content) =>
        new(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) };

    private void AssertLoads()
    {
        ImageData data = ImageDataSets.Load(DataSet.Cifar, _folder.Path, 0);

        Assert.Equal((10, 3, 32, 10), (data.Train.Count, data.Train.Channels, data.Train.Size, data.Train.Classes));
        Assert.Equal([1, 9, 2, 9, 3, 9, 4, 9, 5, 9], Enumerable.Range(0, 10).Select(data.Train.Label));
        Assert.Equal([6, 9], Enumerable.Range(0, 2).Select(data.Test.Label));
        Assert.Equal(Pixels, (byte[])[.. data.Train.Image(8), .. data.Train.Image(9)]);
    }
}
