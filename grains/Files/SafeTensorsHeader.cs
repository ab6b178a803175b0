using System.Buffers.Binary;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace PixelCnnCluster.Files;

/// <summary>Where a tensor lies in a safetensors file.</summary>
/// <param name="Type">In the format's spelling: F32, U8, ...</param>
/// <param name="Offset">From the beginning of the file, in bytes.</param>
public sealed record StoredTensor(string Type, IReadOnlyList<long> Shape, long Offset, long Length);

/// <summary>
/// The beginning of a safetensors file: a little-endian length and a JSON header, which says where the tensors lie. Their bytes are not
/// read.
/// </summary>
/// <param name="Bytes">The length and the header, as they stand in the file.</param>
public sealed record SafeTensorsHeader(
    byte[] Bytes, IReadOnlyDictionary<string, StoredTensor> Tensors, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>Far above any real header, far below what could not be held.</summary>
    private const int LongestHeader = 100_000_000;

    /// <inheritdoc cref="Read(long, Func{long, int, byte[]})"/>
    public static SafeTensorsHeader Read(SafeFileHandle file) =>
        Read(RandomAccess.GetLength(file), (offset, length) => ReadBytes(file, offset, length));

    /// <exception cref="EndOfStreamException">The file is shorter.</exception>
    public static byte[] ReadBytes(SafeFileHandle file, long offset, int length)
    {
        byte[] bytes = new byte[length];
        for (int done = 0; done < length;)
        {
            int read = RandomAccess.Read(file, bytes.AsSpan(done), offset + done);
            done += read > 0 ? read : throw new EndOfStreamException("the file became shorter while it was read");
        }

        return bytes;
    }

    /// <param name="length">Of the file, in bytes.</param>
    /// <param name="read">Reads bytes from a position on, all of which lie within the file.</param>
    /// <exception cref="InvalidDataException">It is not the beginning of a whole safetensors file.</exception>
    public static SafeTensorsHeader Read(long length, Func<long, int, byte[]> read)
    {
        if (length < sizeof(long))
            throw new InvalidDataException("the header's length is wrong");
        long headerLength = BinaryPrimitives.ReadInt64LittleEndian(read(0, sizeof(long)));
        if (headerLength < 2 || headerLength > Math.Min(LongestHeader, length - sizeof(long)))
            throw new InvalidDataException("the header's length is wrong");
        byte[] bytes = read(0, sizeof(long) + (int)headerLength);
        try
        {
            using var json = JsonDocument.Parse(bytes.AsMemory(sizeof(long)));
            Dictionary<string, StoredTensor> tensors = [];
            Dictionary<string, string> metadata = [];
            foreach (JsonProperty entry in json.RootElement.EnumerateObject())
            {
                if (entry.Name == "__metadata__")
                {
                    foreach (JsonProperty pair in entry.Value.EnumerateObject())
                        metadata.Add(pair.Name, pair.Value.GetString() ?? throw new InvalidDataException($"its {pair.Name} is no text"));
                }
                else
                {
                    tensors.Add(entry.Name, TensorOf(entry, bytes.Length, length));
                }
            }

            CheckTiling(tensors.Values, bytes.Length, length);
            return new(bytes, tensors, metadata);
        }
        catch (Exception fault)
            when (fault is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException
                or OverflowException)
        {
            throw new InvalidDataException("the header is garbled", fault);
        }
    }

    /// <summary>Bytes of one element.</summary>
    /// <exception cref="InvalidDataException">There is no such type.</exception>
    public static int WidthOf(string type) => type switch
    {
        "F64" or "I64" or "U64" => 8,
        "F32" or "I32" or "U32" => 4,
        "F16" or "BF16" or "I16" or "U16" => 2,
        "U8" or "I8" or "BOOL" => 1,
        _ => throw new InvalidDataException($"its type {type} is unknown"),
    };

    private static StoredTensor TensorOf(JsonProperty entry, long start, long end)
    {
        long[] offsets = Numbers(entry.Value.GetProperty("data_offsets"));
        if (offsets.Length != 2 || offsets[0] < 0 || offsets[1] < offsets[0] || offsets[1] > end - start)
            throw new InvalidDataException($"tensor {entry.Name} lies outside the file");
        string type = entry.Value.GetProperty("dtype").GetString() ?? "";
        long[] shape = Numbers(entry.Value.GetProperty("shape"));
        if (BytesOf(type, shape) != offsets[1] - offsets[0])
            throw new InvalidDataException($"tensor {entry.Name}'s bytes are not those of its type and shape");
        return new(type, shape, start + offsets[0], offsets[1] - offsets[0]);
    }

    private static void CheckTiling(IEnumerable<StoredTensor> tensors, long start, long end)
    {
        foreach (StoredTensor tensor in tensors.OrderBy(tensor => tensor.Offset).ThenBy(tensor => tensor.Length))
            start = tensor.Offset == start ? start + tensor.Length : throw new InvalidDataException("its tensors overlap or leave a gap");
        if (start != end)
            throw new InvalidDataException("its tensors are not all of its data");
    }

    /// <exception cref="OverflowException">The shape is beyond any memory.</exception>
    private static long BytesOf(string type, long[] shape)
    {
        long width = WidthOf(type);
        return shape.Any(side => side < 0) ? -1 : shape.Aggregate(width, (product, side) => checked(product * side));
    }

    private static long[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(number => number.GetInt64())];
}
