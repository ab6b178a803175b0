using System.Formats.Tar;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.Data;
using SkiaSharp;

namespace PixelCnnCluster.Unit.Tests.Data;

public sealed class SmallImageNetTests : IDisposable
{
    private const string Batch1 = "train_data_batch_1.npz";
    private const string Validation = "val_data.npz";

    private static readonly byte[] Pixels = Formats.Pixels(2, 3072);
    private static readonly byte[] Data = Formats.Npy("|u1", "2, 3072", Pixels);
    private static readonly byte[] Labels = Formats.Npy("<i8", "2,", [1, 0, 0, 0, 0, 0, 0, 0, 0xe8, 3, 0, 0, 0, 0, 0, 0]);
    private static readonly byte[] Batch = Npz(Data, Labels);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("|u1", new byte[] { 1, 200 }, 199)]
    [InlineData("|i1", new byte[] { 1, 100 }, 99)]
    [InlineData("<i2", new byte[] { 1, 0, 0xe8, 3 }, 999)]
    [InlineData(">u2", new byte[] { 0, 1, 3, 0xe8 }, 999)]
    [InlineData("<u4", new byte[] { 1, 0, 0, 0, 0xe8, 3, 0, 0 }, 999)]
    [InlineData(">i8", new byte[] { 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 0xe8 }, 999)]
    public void Labels_of_every_integer_type_count_from_one(string type, byte[] labels, int second)
    {
        _folder.Write(Batch1, Npz(Data, Formats.Npy(type, "2,", labels)));
        _folder.Write(Validation, Batch);

        ImageSet train = ImageDataSets.Load(DataSet.ImageNet, _folder.Path, 32).Train;

        Assert.Equal((2, 3, 32, 1000), (train.Count, train.Channels, train.Size, train.Classes));
        Assert.Equal([0, second], new[] { train.Label(0), train.Label(1) });
        Assert.Equal(Pixels, (byte[])[.. train.Image(0), .. train.Image(1)]);
    }

    [Fact]
    public void Batches_follow_their_numbers_without_a_gap()
    {
        for (byte number = 1; number <= 10; number++)
            _folder.Write($"train_data_batch_{number}.npz", Npz(Data, Formats.Npy("|u1", "2,", [number, number])));
        _folder.Write(Validation, Batch);

        ImageSet train = ImageDataSets.Load(DataSet.ImageNet, _folder.Path, 32).Train;
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], Enumerable.Range(0, 10).Select(i => train.Label(2 * i)));

        System.IO.File.Delete(Path.Combine(_folder.Path, "train_data_batch_7.npz"));
        _folder.AssertRefused(DataSet.ImageNet, 32, "train_data_batch_7.npz is missing");
    }

    [Fact]
    public void Images_of_side_64_are_read()
    {
        byte[] pixels = Formats.Pixels(1, 3 * 64 * 64);
        byte[] batch = Npz(Formats.Npy("|u1", "1, 12288", pixels), Formats.Npy("|u1", "1,", [5]));
        _folder.Write(Batch1, batch);
        _folder.Write(Validation, batch);

        Assert.Equal(pixels, ImageDataSets.Load(DataSet.ImageNet, _folder.Path, 64).Test.Image(0).ToArray());
        _folder.AssertRefused(DataSet.ImageNet, 32, Batch1, "not the bytes of 32x32 images", "--image-size");
    }

    [Fact]
    public void Cuts_of_the_published_files_agree()
    {
        foreach (string name in new[] { Batch1, Validation, "valid_32x32.tar" })
            _folder.Write(name, System.IO.File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "cuts", name)));
        ImageData batches = ImageDataSets.Load(DataSet.ImageNet, _folder.Path, 32);
        Assert.Equal((4, 2), (batches.Train.Count, batches.Test.Count));
        Assert.Equal([163, 1], new[] { batches.Test.Label(0), batches.Test.Label(1) });

        System.IO.File.Delete(Path.Combine(_folder.Path, Batch1));
        System.IO.File.Copy(Path.Combine(_folder.Path, "valid_32x32.tar"), Path.Combine(_folder.Path, "train_32x32.tar"));
        ImageData pictures = ImageDataSets.Load(DataSet.ImageNet, _folder.Path, 32);
        Assert.Equal((3, 3, 0), (pictures.Train.Count, pictures.Test.Count, pictures.Test.Classes));
        Assert.Equal(batches.Test.Image(1), pictures.Test.Image(1));
    }

    public static TheoryData<byte[], string> BadBatches => new()
    {
        { [], "cut off or garbled" },
        { Batch[..^40], "cut off or garbled" },
        { [.. "<html>Not found</html>"u8], "cut off or garbled" },
        { Formats.Zip(("data.npy", Data)), "lacks labels.npy" },
        { Formats.Zip(("labels.npy", Labels)), "lacks data.npy" },
        { Npz([.. "no array"u8], Labels), "data.npy is not a NumPy array" },
        { Npz([], Labels), "data.npy is not a NumPy array" },
        { Npz([0x93, .. "NUMPY\u0002\0"u8, 0xff, 0xff, 0xff, 0xff], Labels), "a header of 4294967295 bytes" },
        { Npz(Data[..30], Labels), "data.npy is too short" },
        { Npz(Formats.Npy("|u1", "2, 3072", Pixels, order: "True"), Labels), "a header that is not understood" },
        { Npz(Formats.Npy("|O", "2, 3072", Pixels), Labels), "a header that is not understood" },
        { Npz(Formats.Npy("<f4", "2, 3072", Pixels), Labels), "holds <f4 of shape (2, 3072)" },
        { Npz(Formats.Npy("|u1", "6144,", Pixels), Labels), "of shape (6144)" },
        { Npz(Formats.Npy("|u1", "3, 3072", Pixels), Labels), "3 images, but labels.npy 2 labels" },
        { Npz(Data[..^1], Labels), "data.npy is too short" },
        { Npz([.. Data, 0], Labels), "data.npy holds more bytes" },
        { Npz(Data, Formats.Npy("<f8", "2,", new byte[16])), "elements of type <f8" },
        { Npz(Data, Formats.Npy("|u1", "2, 1", [1, 2])), "shape (2, 1)" },
        { Npz(Data, Formats.Npy("|u1", "99999999999999999999,", [1, 2])), "shape (-1)" },
        { Npz(Data, Formats.Npy("|u1", "2,", [0, 1])), "label 0, beyond the classes 1 to 1000" },
        { Npz(Data, Formats.Npy("<u2", "2,", [1, 0, 0xe9, 3])), "label 1001" },
        { Npz(Data, Formats.Npy("|i1", "2,", [0xff, 1])), "label -1" },
        { Npz(Data, Formats.Npy("|u1", "2,", [1])), "labels.npy is too short" },
        { Npz(Data, Formats.Npy("|u1", "2,", [1, 1, 1])), "labels.npy holds more bytes" },
    };

    [Theory]
    [MemberData(nameof(BadBatches), DisableDiscoveryEnumeration = true)]
    public void A_wrong_batch_is_refused_by_name(byte[] content, string fault)
    {
        _folder.Write(Batch1, Batch);
        _folder.Write(Validation, content);

        _folder.AssertRefused(DataSet.ImageNet, 32, Validation, fault);
    }

    [Fact]
    public void Garbled_pixels_fail_the_checksum()
    {
        byte[] noise = new byte[2 * 3072];
        for (int i = 0; i < noise.Length; i++)
            noise[i] = (byte)(i * 2654435761 >> 13);
        byte[] batch = Npz(Formats.Npy("|u1", "2, 3072", noise), Labels);
        // Noise does not compress, so deflate stores it and a changed byte changes just one pixel.
        batch[1000] ^= 1;
        _folder.Write(Batch1, batch);
        _folder.Write(Validation, Batch);

        _folder.AssertRefused(DataSet.ImageNet, 32, Batch1, "data.npy", "garbled");
    }

    [Fact]
    public void A_zip_bomb_is_left_after_what_its_header_promises()
    {
        _folder.Write(Batch1, Npz([.. Data, .. new byte[64 << 20]], Labels));
        _folder.Write(Validation, Batch);

        long before = GC.GetAllocatedBytesForCurrentThread();
        _folder.AssertRefused(DataSet.ImageNet, 32, Batch1, "data.npy holds more bytes");
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 << 20);
    }

    /// <summary>A zip is read from its end: one that is packed again had to be unpacked into memory whole.</summary>
    [Fact]
    public void A_packed_zip_is_refused_unread()
    {
        byte[] part = Formats.Gzip(new byte[16 << 20]);
        _folder.Write(Batch1, [.. Enumerable.Repeat(part, 50).SelectMany(bytes => bytes)]);
        _folder.Write(Validation, Batch);
        long before = GC.GetAllocatedBytesForCurrentThread();

        _folder.AssertRefused(DataSet.ImageNet, 32, Batch1, "cut off or garbled");

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 << 20);
    }

    /// <summary>Images of one colour, of which a batch promises no more than the set may have.</summary>
    [Fact]
    public void A_batch_that_unpacks_to_more_than_its_size_can_hold_is_refused()
    {
        const int Images = 50_000;
        _folder.Write(Batch1, Npz(
            Formats.Npy("|u1", $"{Images}, 3072", new byte[Images * 3072]),
            Formats.Npy("|u1", $"{Images},", [.. Enumerable.Repeat((byte)1, Images)])));
        _folder.Write(Validation, Batch);

        _folder.AssertRefused(DataSet.ImageNet, 32, Batch1, "data.npy", "it unpacks to more than", "too many for its size");
    }

    public static TheoryData<TarEntry[], string> BadArchives => new()
    {
        { [], "holds no images" },
        { [File("../1.png", Png(32))], "../1.png, which points outside" },
        { [File("1.png", Png(32)), File("2.png", Png(64))], "2.png is 64x64 pixels instead of 32x32" },
        { [File("1.png", Png(32)[..^100])], "1.png is cut off or garbled" },
        { [File("1.png", [])], "1.png is empty" },
        { [File("readme.txt", [.. "hello"u8])], "readme.txt is no PNG or JPEG image" },
        { [File("1.png", new byte[(1 << 20) + 1])], "1.png with 1048577 bytes" },
        { [new UstarTarEntry(TarEntryType.SymbolicLink, "1.png") { LinkName = "2.png" }], "1.png, which is a SymbolicLink" },
    };

    [Theory]
    [MemberData(nameof(BadArchives), DisableDiscoveryEnumeration = true)]
    public void A_wrong_archive_is_refused_by_name(TarEntry[] entries, string fault)
    {
        _folder.Write("train_32x32.tar", Formats.Tar(entries));
        _folder.Write("valid_32x32.tar", Formats.Tar(File("1.png", Png(32))));

        _folder.AssertRefused(DataSet.ImageNet, 32, "train_32x32.tar", fault);
    }

    [Fact]
    public void A_missing_set_is_told_with_where_it_is_to_be_had() =>
        _folder.AssertRefused(DataSet.ImageNet, 64, _folder.Path, "train_64x64.tar", "val_data.npz", "image-net.org");

    private static byte[] Npz(byte[] data, byte[] labels) => Formats.Zip(("data.npy", data), ("labels.npy", labels));

    private static byte[] Png(int size) => Formats.Picture(size, size, (x, y) => new SKColor((byte)(x * 8), (byte)(y * 8), (byte)(x * y)));

    private static UstarTarEntry File(string name, byte[] content) =>
        new(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) };
}
