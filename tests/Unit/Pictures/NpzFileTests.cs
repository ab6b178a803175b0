using System.IO.Compression;
using PixelCnnCluster.Pictures;
using PixelCnnCluster.Training.Data;
using PixelCnnCluster.Unit.Tests.Data;

namespace PixelCnnCluster.Unit.Tests.Pictures;

public sealed class NpzFileTests : IDisposable
{
    private readonly TempFolder _temp = new();

    private string File1 => Path.Combine(_temp.Path, "samples.npz");

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void Images_are_bytes_with_their_channels_last()
    {
        // Two colour images of side 2: planes 1..4, 11..14, 21..24 and the same plus 100.
        byte[] one = [1, 2, 3, 4, 11, 12, 13, 14, 21, 22, 23, 24];
        NpzFile.Write(File1, new([.. one, .. one.Select(value => (byte)(value + 100))], Count: 2, Channels: 3, Size: 2), labels: null);

        using ZipArchive zip = ZipFile.OpenRead(File1);
        Assert.Equal(["arr_0.npy"], zip.Entries.Select(entry => entry.FullName));
        using var images = NpyMember.Open(File1, zip, "arr_0.npy");
        Assert.Equal("|u1", images.Type);
        Assert.Equal([2, 2, 2, 3], images.Shape);
        byte[] pixels = new byte[24];
        images.File.ReadExactly(pixels);
        images.ExpectEnd();
        byte[] last = [1, 11, 21, 2, 12, 22, 3, 13, 23, 4, 14, 24];
        Assert.Equal([.. last, .. last.Select(value => (byte)(value + 100))], pixels);
    }

    [Fact]
    public void Labels_are_64_bit_integers_in_a_second_array()
    {
        NpzFile.Write(File1, new([7, 8, 9], Count: 3, Channels: 1, Size: 1), labels: [0, 999, int.MaxValue]);

        using ZipArchive zip = ZipFile.OpenRead(File1);
        Assert.Equal(["arr_0.npy", "arr_1.npy"], zip.Entries.Select(entry => entry.FullName));
        using var labels = NpyMember.Open(File1, zip, "arr_1.npy");
        Assert.Equal("<i8", labels.Type);
        Assert.Equal([3], labels.Shape);
        Assert.Equal([0, 999, int.MaxValue], labels.ReadIntegers());
        labels.ExpectEnd();
        using var images = NpyMember.Open(File1, zip, "arr_0.npy");
        Assert.Equal([3, 1, 1, 1], images.Shape);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1_000_000)]
    public void Elements_begin_at_a_multiple_of_64_bytes(int count)
    {
        NpzFile.Write(File1, new(new byte[count], count, Channels: 1, Size: 1), labels: new int[count]);

        using ZipArchive zip = ZipFile.OpenRead(File1);
        Assert.All(zip.Entries.Zip([1, 8]), member => Assert.Equal(0, (member.First.Length - ((long)member.Second * count)) % 64));
        using Stream member = zip.Entries[0].Open();
        byte[] start = new byte[128];
        member.ReadExactly(start);
        int header = 10 + start[8] + (256 * start[9]);
        Assert.Equal((byte)'\n', start[header - 1]);
    }

    [Fact]
    public void Equal_images_make_equal_files()
    {
        NpzFile.Write(File1, new([7], Count: 1, Channels: 1, Size: 1), labels: [1]);
        using ZipArchive zip = ZipFile.OpenRead(File1);
        Assert.All(zip.Entries, entry => Assert.Equal(new DateTime(1980, 1, 1), entry.LastWriteTime.DateTime));
    }
}
