using System.Text;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.Data;

namespace PixelCnnCluster.Unit.Tests.Data;

public sealed class CifarPickleTests : IDisposable
{
    private static readonly byte[] Pixels = Formats.Pixels(2, 3072);
    private static readonly byte[] Batch = Formats.CifarPickle([3, 9], Pixels);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("numpy.core.multiarray", false)]
    [InlineData("numpy._core.multiarray", true)]
    public void An_array_of_old_and_new_numpy_is_read(string module, bool asBytes)
    {
        WriteAll(Formats.CifarPickle([3, 9], Pixels, new(module, AsBytes: asBytes)));

        ImageSet train = ImageDataSets.Load(DataSet.Cifar, _folder.Path, 0).Train;

        Assert.Equal([3, 9], new[] { train.Label(0), train.Label(1) });
        Assert.Equal(Pixels, (byte[])[.. train.Image(0), .. train.Image(1)]);
    }

    [Fact]
    public void A_cut_of_the_published_file_is_read()
    {
        WriteAll(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "cuts", "data_batch_1")));

        ImageSet train = ImageDataSets.Load(DataSet.Cifar, _folder.Path, 0).Train;

        Assert.Equal([6, 9, 9], new[] { train.Label(0), train.Label(1), train.Label(2) });
        Assert.Equal([59, 43, 50], train.Image(0)[..3].ToArray());
    }

    public static TheoryData<byte[], string> Faults => new()
    {
        { [], "is empty" },
        { Batch[..^1], "cut off or garbled" },
        { Batch[..3000], "cut off or garbled" },
        { [.. "<html>Not found</html>"u8], "cut off or garbled" },
        { [.. "}."u8], "has no array `data`" },
        { [.. "K\u0001."u8], "holds no dictionary" },
        { Formats.CifarPickle([3, 9], Pixels, new(Type: "i1")), "has no array `data`" },
        { Formats.CifarPickle([3, 9, 1], Pixels), "6144 bytes instead of 3 times 3072" },
        { Formats.CifarPickle([3], Pixels), "6144 bytes instead of 1 times 3072" },
        { Formats.CifarPickle([3, 10], Pixels), "label 10 in record 1" },
        { [.. Batch, 0], "ends before its bytes do" },
        { Formats.CifarPickle([3, 9, 1], Pixels, new(Count: 2)), "no list `labels` of the length of `data`, 2" },
        { Encoding.Latin1.GetBytes(Encoding.Latin1.GetString(Batch).Replace("](K\u0003", "](N", StringComparison.Ordinal)),
            "label None in record 0" },
        { new byte[(64 << 20) + 1], "too many for its kind" },
    };

    [Theory]
    [MemberData(nameof(Faults), DisableDiscoveryEnumeration = true)]
    public void A_wrong_batch_is_refused_by_name(byte[] content, string fault)
    {
        WriteAll(Batch);
        _folder.Write("data_batch_3", content);

        _folder.AssertRefused(DataSet.Cifar, 0, "data_batch_3", fault);
    }

    [Theory]
    [InlineData("cposix\nsystem\n(U\u000etouch /tmp/pwntR", "posix.system")]
    [InlineData("cbuiltins\neval\n(U\u00031+1tR", "builtins.eval")]
    [InlineData("cos\nenviron\n)R", "os.environ")]
    [InlineData("(ios\nenviron\n", "os.environ")]
    [InlineData("cos\nenviron\n", "os.environ")]
    [InlineData("](cos\nenviron\n)Re", "os.environ")]
    [InlineData("cdecimal\nDecimal\n(U\u00011tR", "decimal.Decimal")]
    [InlineData("cnumpy\nndarray\n(K\u0001tR", "numpy.ndarray")]
    public void Other_names_than_those_of_an_array_are_refused(string value, string named)
    {
        WriteAll(Batch);
        _folder.Write("data_batch_3", Formats.CifarPickle([3, 9], Pixels, extra: $"U\u0001x{value}"));

        _folder.AssertRefused(DataSet.Cifar, 0, "data_batch_3", $"refers to {named}");
    }

    /// <summary>As small as a letter when it is packed.</summary>
    [Theory]
    [InlineData('}', "more values than one of its kind and size can have")]
    [InlineData(']', "more values than one of its kind and size can have")]
    [InlineData('N', "more values than one of its kind and size can have")]
    [InlineData('(', "more values than one of its kind and size can have")]
    public void A_packed_bomb_is_refused_by_name(char instruction, string fault)
    {
        WriteAll(Batch);
        byte[] bomb = Formats.Gzip([.. Enumerable.Repeat((byte)instruction, 60_000_000)]);
        Assert.InRange(bomb.Length, 0, 1_000_000);
        _folder.Write("data_batch_3", bomb);
        long before = GC.GetAllocatedBytesForCurrentThread();

        _folder.AssertRefused(DataSet.Cifar, 0, "data_batch_3", fault);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 200 << 20);
    }

    /// <summary>To read sixty million digits took hours.</summary>
    [Fact]
    public void A_long_number_is_refused_unread()
    {
        WriteAll(Batch);
        _folder.Write("data_batch_3", [.. "L"u8, .. Enumerable.Repeat((byte)'7', 60_000_000), .. "L\n."u8]);
        _folder.AssertRefused(DataSet.Cifar, 0, "data_batch_3", "instruction 0x4c, for which plain data have no use");

        _folder.Write("data_batch_3", [0x8a, 200, .. Enumerable.Repeat((byte)7, 200), (byte)'.']);
        _folder.AssertRefused(DataSet.Cifar, 0, "data_batch_3", "a number of more than 64 bits");
    }

    [Fact]
    public void Bytes_that_Python_3_wrote_for_Python_2_are_read()
    {
        string latin = Encoding.Latin1.GetString(Batch);
        int content = latin.IndexOf("\u0089T", StringComparison.Ordinal) + 1;
        byte[] pixels = Encoding.UTF8.GetBytes(latin[(content + 5)..(content + 5 + Pixels.Length)]);
        byte[] call = [.. "c_codecs\nencode\nX"u8, .. BitConverter.GetBytes(pixels.Length), .. pixels, .. "X\u0006\0\0\0latin1\u0086R"u8];
        // In UTF-8 the instruction took two bytes.
        call = [.. call[..^3], 0x86, .. "R"u8];
        WriteAll([.. Batch[..content], .. call, .. Batch[(content + 5 + Pixels.Length)..]]);

        Assert.Equal(Pixels, (byte[])[.. ImageDataSets.Load(DataSet.Cifar, _folder.Path, 0).Train.Image(0),
            .. ImageDataSets.Load(DataSet.Cifar, _folder.Path, 0).Train.Image(1)]);
    }

    [Fact]
    public void Garbled_opcodes_never_bring_more_than_a_refusal()
    {
        WriteAll(Batch);
        string head = Encoding.Latin1.GetString(Batch[..200]);
        for (int at = 0; at < head.Length; at++)
        {
            byte[] garbled = [.. Batch];
            garbled[at] ^= 0x55;
            _folder.Write("data_batch_3", garbled);
            Exception? thrown = Record.Exception(() => ImageDataSets.Load(DataSet.Cifar, _folder.Path, 0));
            Assert.True(thrown is null or UserErrorException, $"byte {at}: {thrown}");
        }
    }

    private void WriteAll(byte[] batch)
    {
        foreach (string name in new[] { "data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch" })
            _folder.Write(name, batch);
    }
}
