using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PixelCnnCluster.Training.Checkpoints;

/// <summary>One tensor of a safetensors file: its type in the format's spelling (F32, U8, ...), shape and bytes.</summary>
public sealed record SafeTensor(string Type, long[] Shape, ReadOnlyMemory<byte> Data)
{
    public static SafeTensor Of(float[] values, long[] shape) => new("F32", shape, MemoryMarshal.AsBytes(values.AsSpan()).ToArray());

    public bool IsFloatingPoint => Type is "F32" or "F64" or "F16" or "BF16";

    /// <summary>The values as float32, rounded where the type is wider.</summary>
    /// <exception cref="InvalidOperationException">The type is no floating-point type.</exception>
    public float[] Floats() => Type switch
    {
        "F32" => MemoryMarshal.Cast<byte, float>(Data.Span).ToArray(),
        "F64" => Array.ConvertAll(MemoryMarshal.Cast<byte, double>(Data.Span).ToArray(), value => (float)value),
        "F16" => Array.ConvertAll(MemoryMarshal.Cast<byte, Half>(Data.Span).ToArray(), value => (float)value),
        "BF16" => Array.ConvertAll(
            MemoryMarshal.Cast<byte, ushort>(Data.Span).ToArray(), value => BitConverter.UInt32BitsToSingle((uint)value << 16)),
        _ => throw new InvalidOperationException($"A tensor of type {Type} holds no floats."),
    };
}

/// <summary>
/// The safetensors format: a little-endian header length, a JSON header, the tensors' bytes. Nothing in a file is executed.
/// </summary>
public static class SafeTensors
{
    private const int LongestHeader = 100_000_000;

    /// <summary>The header as it stands in a file, padded so that the data starts on an 8-byte boundary.</summary>
    public static byte[] Header(IEnumerable<(string Name, SafeTensor Tensor)> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        var header = new JsonObject
        {
            ["__metadata__"] = new JsonObject(
            metadata.Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value)))
        };
        long offset = 0;
        foreach ((string name, SafeTensor tensor) in tensors)
        {
            header[name] = new JsonObject
            {
                ["dtype"] = tensor.Type,
                ["shape"] = new JsonArray([.. tensor.Shape.Select(side => (JsonNode)side)]),
                ["data_offsets"] = new JsonArray(offset, offset + tensor.Data.Length),
            };
            offset += tensor.Data.Length;
        }

        byte[] json = JsonSerializer.SerializeToUtf8Bytes(header);
        byte[] padded = new byte[8 + (json.Length + 7) / 8 * 8];
        BinaryPrimitives.WriteInt64LittleEndian(padded, padded.Length - 8);
        json.CopyTo(padded, 8);
        padded.AsSpan(8 + json.Length).Fill((byte)' ');
        return padded;
    }

    /// <summary>Writes a whole file.</summary>
    public static void Write(
        Stream file, IReadOnlyList<(string Name, SafeTensor Tensor)> tensors, IReadOnlyDictionary<string, string> metadata) =>
        Write(file, Header(tensors, metadata), tensors);

    /// <summary>Writes a whole file, whose <paramref name="header"/> is that of the tensors.</summary>
    public static void Write(Stream file, byte[] header, IEnumerable<(string Name, SafeTensor Tensor)> tensors)
    {
        file.Write(header);
        foreach ((_, SafeTensor tensor) in tensors)
            file.Write(tensor.Data.Span);
    }

    /// <exception cref="InvalidDataException">The bytes are not a whole safetensors file.</exception>
    public static (IReadOnlyDictionary<string, SafeTensor> Tensors, IReadOnlyDictionary<string, string> Metadata) Parse(
        ReadOnlyMemory<byte> file)
    {
        if (file.Length < 8 || BinaryPrimitives.ReadInt64LittleEndian(file.Span) is var length
            && (length < 2 || length > Math.Min(LongestHeader, file.Length - 8)))
            throw new InvalidDataException("the header's length is wrong");
        try
        {
            ReadOnlyMemory<byte> data = file[(8 + (int)length)..];
            using var header = JsonDocument.Parse(file.Slice(8, (int)length));
            var tensors = new Dictionary<string, SafeTensor>();
            var metadata = new Dictionary<string, string>();
            var spans = new List<(long First, long End)>();
            foreach (JsonProperty entry in header.RootElement.EnumerateObject())
            {
                if (entry.Name == "__metadata__")
                {
                    foreach (JsonProperty pair in entry.Value.EnumerateObject())
                        metadata.Add(pair.Name, pair.Value.GetString() ?? throw new InvalidDataException($"its {pair.Name} is no text"));
                    continue;
                }

                long[] offsets = Numbers(entry.Value.GetProperty("data_offsets"));
                if (offsets.Length != 2 || offsets[0] < 0 || offsets[1] < offsets[0] || offsets[1] > data.Length)
                    throw new InvalidDataException($"tensor {entry.Name} lies outside the file");
                string type = entry.Value.GetProperty("dtype").GetString() ?? "";
                long[] shape = Numbers(entry.Value.GetProperty("shape"));
                if (BytesOf(type, shape) != offsets[1] - offsets[0])
                    throw new InvalidDataException($"tensor {entry.Name}'s bytes are not those of its type and shape");
                spans.Add((offsets[0], offsets[1]));
                tensors.Add(entry.Name, new(type, shape, data[(int)offsets[0]..(int)offsets[1]]));
            }

            long end = 0;
            foreach ((long first, long next) in spans.Order())
                end = first == end ? next : throw new InvalidDataException("its tensors overlap or leave a gap");
            if (end != data.Length)
                throw new InvalidDataException("its tensors are not all of its data");

            return (tensors, metadata);
        }
        catch (Exception fault)
            when (fault is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException
                or OverflowException)
        {
            throw new InvalidDataException("the header is garbled", fault);
        }

        static long[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(number => number.GetInt64())];
    }

    /// <summary>Bytes of one element.</summary>
    /// <exception cref="InvalidDataException">There is no such type.</exception>
    internal static int WidthOf(string type) => type switch
    {
        "F64" or "I64" or "U64" => 8,
        "F32" or "I32" or "U32" => 4,
        "F16" or "BF16" or "I16" or "U16" => 2,
        "U8" or "I8" or "BOOL" => 1,
        _ => throw new InvalidDataException($"its type {type} is unknown"),
    };

    /// <exception cref="OverflowException">The shape is beyond any memory.</exception>
    private static long BytesOf(string type, long[] shape)
    {
        long width = WidthOf(type);
        return shape.Any(side => side < 0) ? -1 : shape.Aggregate(width, (product, side) => checked(product * side));
    }
}
