using System.Text;
using CsCheck;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Unit.Tests.Weights;

namespace PixelCnnCluster.Unit.Tests.Training.Checkpoints;

/// <summary>Files come from anywhere: whatever is in one, it is read right or refused as invalid data.</summary>
public sealed class SafeTensorsTests
{
    /// <summary>Characters that matter to JSON.</summary>
    private const string Telling = "0123456789-.eE[]{}\":,n";

    private const string One = """{"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}""";

    [Fact]
    public void What_is_written_is_read()
    {
        (string, SafeTensor)[] tensors =
        [
            ("a", new("F32", [2, 1], new byte[] { 1, 2, 3, 4, 5, 6, 7, 8 })), ("scalar", new("U8", [], new byte[] { 9 })),
            ("none", new("F32", [0, 3], ReadOnlyMemory<byte>.Empty)),
        ];
        byte[] header = SafeTensors.Header(tensors, new Dictionary<string, string> { ["key"] = "a \"value\" \u00e9" });
        Assert.Equal(0, header.Length % 8);
        (IReadOnlyDictionary<string, SafeTensor> found, IReadOnlyDictionary<string, string> metadata) =
            Stored.Parse((byte[])[.. header, .. tensors.SelectMany(entry => entry.Item2.Data.ToArray())]);
        Assert.Equal("a \"value\" \u00e9", Assert.Single(metadata).Value);
        Assert.Equal(3, found.Count);
        Assert.All(tensors, entry =>
        {
            SafeTensor same = found[entry.Item1];
            Assert.Equal(entry.Item2.Type, same.Type);
            Assert.Equal(entry.Item2.Data.ToArray(), same.Data.ToArray());
            Assert.Equal(entry.Item2.Shape, same.Shape);
        });
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("3")]
    [InlineData("\"a\"")]
    [InlineData("{")]
    [InlineData("""{"a":null}""")]
    [InlineData("""{"a":[]}""")]
    [InlineData("""{"a":3}""")]
    [InlineData("""{"a":{}}""")]
    [InlineData("""{"__metadata__":null}""")]
    [InlineData("""{"__metadata__":[]}""")]
    [InlineData("""{"__metadata__":{"a":1}}""")]
    [InlineData("""{"__metadata__":{"a":null}}""")]
    [InlineData("""{"__metadata__":{"a":"1","a":"2"}}""")]
    [InlineData("""{"a":{"dtype":3,"shape":[2],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":null,"shape":[2],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":null,"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":"2","data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1e30],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1,-2],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,2],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,16]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9223372036854775807]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,99999999999999999999]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""")]
    public void Headers_that_do_not_fit_the_file_are_refused(string header) =>
        Assert.Throws<InvalidDataException>(() => Stored.Parse(File(header, new byte[8])));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    [InlineData(long.MaxValue)]
    [InlineData(int.MaxValue)]
    [InlineData(1L << 32)]
    [InlineData(100_000_001)]
    public void Absurd_header_lengths_are_refused(long length)
    {
        byte[] file = File(One, new byte[8]);
        BitConverter.TryWriteBytes(file, length);
        Assert.Throws<InvalidDataException>(() => Stored.Parse(file));
    }

    [Fact]
    public void Deep_nesting_is_refused() =>
        Assert.Throws<InvalidDataException>(() => Stored.Parse(File(new string('[', 100_000), [])));

    [Fact]
    public void Any_bytes_are_read_or_refused() =>
        Gen.Select(Gen.Byte.Array[0, 60], Gen.Int[-2, 60], Gen.Bool).Sample(
            (bytes, length, plausible) =>
            {
                if (plausible && bytes.Length >= 8)
                    BitConverter.TryWriteBytes(bytes, (long)length);
                ReadOrRefuse(bytes);
            },
            iter: 5000);

    [Fact]
    public void Any_change_of_a_valid_file_is_read_or_refused()
    {
        byte[] valid = File(
            """{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}}""", new byte[11]);
        Assert.Equal(2, Stored.Parse(valid).Tensors.Count);
        Gen<(int Position, byte Value)> change = Gen.Select(
            Gen.Int[0, valid.Length - 1], Gen.OneOf(Gen.Byte, Gen.Int[0, Telling.Length - 1].Select(i => (byte)Telling[i])));
        change.Array[1, 4].Select(Gen.Int[0, valid.Length]).Sample(
            (changes, length) =>
            {
                byte[] file = [.. valid];
                foreach ((int position, byte value) in changes)
                    file[position] = value;
                ReadOrRefuse(file);
                ReadOrRefuse(file[..length]);
            },
            iter: 5000);
    }

    /// <summary>
    /// Throws whatever <see cref="SafeTensors.Parse"/> throws but <see cref="InvalidDataException"/>; what it reads must lie within the
    /// file.
    /// </summary>
    private static void ReadOrRefuse(byte[] file)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            foreach ((_, SafeTensor tensor) in Stored.Parse(file).Tensors)
            {
                Assert.True(tensor.Data.Length <= file.Length);
                Assert.True(tensor.Shape.All(side => side >= 0) && (tensor.Data.Length > 0 || tensor.Shape.Contains(0)));
            }
        }
        catch (InvalidDataException)
        {
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    private static byte[] File(string header, byte[] data) =>
        [.. BitConverter.GetBytes((long)Encoding.UTF8.GetByteCount(header)), .. Encoding.UTF8.GetBytes(header), .. data];
}
