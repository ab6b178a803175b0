using System.Buffers.Binary;
using System.IO.Hashing;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.Data;
using SkiaSharp;

namespace PixelCnnCluster.Unit.Tests.Data;

public sealed class ImageFolderTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_tenth_image_by_name_is_for_testing()
    {
        for (byte i = 0; i < 20; i++)
            _folder.Write($"{i:00}.png", Formats.Picture(8, 8, (_, _) => new SKColor(i, 100, 200)));

        ImageData data = Load(8);

        Assert.Equal((18, 2, 3, 8, 0), (data.Train.Count, data.Test.Count, data.Train.Channels, data.Train.Size, data.Train.Classes));
        Assert.Equal(
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18],
            Enumerable.Range(0, 18).Select(i => (int)data.Train.Image(i)[0]));
        Assert.Equal([9, 19], Enumerable.Range(0, 2).Select(i => (int)data.Test.Image(i)[0]));
    }

    [Fact]
    public void Sub_folders_are_classes_in_the_order_of_their_names()
    {
        foreach (string path in new[] { "train/dog/a.png", "train/Cat/deep/b.png", "test/dog/c.png", "test/Cat/d.png", "test/Cat/.hidden" })
            _folder.Write(path, Formats.Picture(8, 8, (_, _) => new SKColor((byte)Path.GetFileName(path)[0], 0, 0)));

        ImageData data = Load(8);

        Assert.Equal((2, 2), (data.Train.Classes, data.Test.Classes));
        Assert.Equal(
            [((byte)'b', 0), ((byte)'a', 1)],
            Enumerable.Range(0, data.Train.Count).Select(i => (data.Train.Image(i)[0], data.Train.Label(i))));
        Assert.Equal(
            [((byte)'d', 0), ((byte)'c', 1)],
            Enumerable.Range(0, data.Test.Count).Select(i => (data.Test.Image(i)[0], data.Test.Label(i))));
    }

    [Fact]
    public void Channels_are_planes_and_the_middle_of_the_long_side_stays()
    {
        // 24x8: three squares, red, a gradient, blue.
        WriteHalves(Formats.Picture(24, 8, (x, y) =>
            x < 8 ? SKColors.Red : x < 16 ? new SKColor((byte)(x * 10), (byte)(y * 20), 77) : SKColors.Blue));

        byte[] image = Load(8).Train.Image(0).ToArray();

        Assert.Equal(Enumerable.Range(0, 64).Select(i => (byte)((8 + i % 8) * 10)), image[..64]);
        Assert.Equal(Enumerable.Range(0, 64).Select(i => (byte)(i / 8 * 20)), image[64..128]);
        Assert.Equal(Enumerable.Repeat((byte)77, 64), image[128..]);
    }

    [Fact]
    public void Shrinking_averages_and_growing_keeps_a_flat_colour()
    {
        WriteHalves(Formats.Picture(256, 300, (x, y) => (x + y) % 2 == 0 ? SKColors.White : SKColors.Black));
        Assert.All(Load(8).Train.Image(0).ToArray(), value => Assert.InRange(value, 110, 145));

        WriteHalves(Formats.Picture(2, 3, (_, _) => new SKColor(10, 20, 30)));
        byte[] grown = Load(64).Train.Image(0).ToArray();
        Assert.Equal([10, 20, 30], new[] { grown[0], grown[4096], grown[^1] });
    }

    [Fact]
    public void Jpeg_images_are_read()
    {
        byte[] jpeg = Formats.Picture(16, 16, (_, _) => new SKColor(200, 100, 50), SKEncodedImageFormat.Jpeg);
        _folder.Write("train/a.JPEG", jpeg);
        _folder.Write("test/a.jpg", jpeg);

        ReadOnlySpan<byte> image = Load(16).Train.Image(0);

        Assert.InRange(image[0], 197, 203);
        Assert.InRange(image[256], 97, 103);
        Assert.InRange(image[512], 47, 53);
    }

    [Fact]
    public void One_channel_is_enough_when_every_image_is_grey()
    {
        byte[] grey = Formats.Picture(8, 8, (x, y) => new SKColor((byte)(x * y), (byte)(x * y), (byte)(x * y)));
        _folder.Write("train/a/1.png", grey);
        _folder.Write("train/b/1.png", grey);
        _folder.Write("test/a/1.png", grey);
        _folder.Write("test/b/1.png", grey);
        ImageData data = Load(8);
        Assert.Equal((1, 1, 2), (data.Train.Channels, data.Test.Channels, data.Train.Classes));
        Assert.Equal([.. Enumerable.Range(0, 64).Select(i => (byte)(i % 8 * (i / 8)))], data.Train.Image(1).ToArray());
        Assert.Equal([0, 1], new[] { data.Test.Label(0), data.Test.Label(1) });

        // One bluish pixel in one test image makes all of them colour images.
        _folder.Write("test/b/2.png", Formats.Picture(8, 8, (x, y) => new SKColor(0, 0, (byte)(x + y == 14 ? 1 : 0))));
        data = Load(8);
        Assert.Equal((3, 3), (data.Train.Channels, data.Test.Channels));
    }

    /// <summary>A link to a parent made test images into training images.</summary>
    [Theory]
    [InlineData("..")]
    [InlineData("../test")]
    [InlineData("/")]
    public void A_link_that_leads_up_or_out_is_refused(string target)
    {
        WriteHalves(Formats.Picture(8, 8, (_, _) => SKColors.Red));
        string inside = Path.Combine(_folder.Path, "train", "more");
        Directory.CreateSymbolicLink(target == "../test" ? Path.Combine(_folder.Path, "more") : inside, target);

        _folder.AssertRefused(DataSet.Folder, 8, "is a link to", "remove it");
    }

    [Fact]
    public void A_file_that_is_linked_counts_once()
    {
        WriteHalves(Formats.Picture(8, 8, (_, _) => SKColors.Red));
        File.CreateSymbolicLink(Path.Combine(_folder.Path, "train", "again.png"), "a.png");

        Assert.Equal((1, 1), (Load(8).Train.Count, Load(8).Test.Count));
    }

    [Theory]
    [InlineData("notes.txt", "hello", "is no PNG or JPEG image")]
    [InlineData("empty.png", "", "is empty, or no file")]
    [InlineData("movie.gif", "GIF89a\u0001\0\u0001\0\0\0\0", "is no PNG or JPEG image")]
    public void A_file_that_is_no_image_is_refused_by_name(string name, string content, string fault)
    {
        WriteHalves(Formats.Picture(8, 8, (_, _) => SKColors.Red));
        string path = _folder.Write($"train/{name}", System.Text.Encoding.Latin1.GetBytes(content));

        _folder.AssertRefused(DataSet.Folder, 8, path, fault);
    }

    [Fact]
    public void An_image_that_is_cut_off_is_refused_by_name()
    {
        byte[] whole = Formats.Picture(64, 64, (x, y) => new SKColor((byte)(x * y), (byte)(x ^ y), (byte)(x * 3)));
        WriteHalves(whole);
        _folder.Write("train/z.png", whole[..(whole.Length / 2)]);

        _folder.AssertRefused(DataSet.Folder, 8, "train/z.png", "cut off or garbled");
    }

    [Fact]
    public void An_image_that_claims_too_many_pixels_is_refused_before_it_is_decoded()
    {
        byte[] png = Formats.Picture(8, 8, (_, _) => SKColors.Red);
        WriteHalves(png);
        // Width and height follow signature, length and type of the first chunk; its checksum follows its 13 bytes.
        BinaryPrimitives.WriteInt32BigEndian(png.AsSpan(16), 60_000);
        BinaryPrimitives.WriteInt32BigEndian(png.AsSpan(20), 60_000);
        BinaryPrimitives.WriteUInt32BigEndian(png.AsSpan(29), Crc32.HashToUInt32(png.AsSpan(12, 17)));
        _folder.Write("test/bomb.png", png);

        _folder.AssertRefused(DataSet.Folder, 8, "test/bomb.png", "claims 60000x60000 pixels");
    }

    [Fact]
    public void A_folder_without_use_is_refused_with_the_remedy()
    {
        _folder.AssertRefused(DataSet.Folder, 8, _folder.Path, "holds no images");

        byte[] png = Formats.Picture(8, 8, (_, _) => SKColors.Red);
        _folder.Write("a.png", png);
        _folder.AssertRefused(DataSet.Folder, 8, "holds 1 images", "give ten or more");

        _folder.Write("cat/b.png", png);
        _folder.AssertRefused(DataSet.Folder, 8, "a.png lies beside the class folders");

        _folder.Write("train/cat/a.png", png);
        _folder.AssertRefused(DataSet.Folder, 8, "only one of the folders train and test");

        _folder.Write("test/dog/a.png", png);
        _folder.AssertRefused(DataSet.Folder, 8, "test has not the same class folders");
    }

    private ImageData Load(int size) => ImageDataSets.Load(DataSet.Folder, _folder.Path, size);

    private void WriteHalves(byte[] image)
    {
        _folder.Write("train/a.png", image);
        _folder.Write("test/a.png", image);
    }
}
