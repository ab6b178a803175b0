using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Win32.SafeHandles;
using PixelCnnCluster.Files;

namespace PixelCnnCluster.Training.Checkpoints;

/// <summary>One tensor of a safetensors file: its type in the format's spelling (F32, U8, ...), shape and bytes.</summary>
/// <param name="Load">Gives the bytes; of a file, reads them each time.</param>
public sealed record SafeTensor(string Type, long[] Shape, Func<ReadOnlyMemory<byte>> Load)
{
    public SafeTensor(string type, long[] shape, ReadOnlyMemory<byte> data)
        : this(type, shape, () => data)
    {
    }

    /// <exception cref="IOException">The file's bytes cannot be read.</exception>
    public ReadOnlyMemory<byte> Data => Load();

    public bool IsFloatingPoint => Type is "F32" or "F64" or "F16" or "BF16";

    public static SafeTensor Of(float[] values, long[] shape) => new("F32", shape, MemoryMarshal.AsBytes(values.AsSpan()).ToArray());

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
    /// <summary>The header as it stands in a file, padded so that the data starts on an 8-byte boundary.</summary>
    public static byte[] Header(IEnumerable<(string Name, SafeTensor Tensor)> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        var header = new JsonObject
        {
            ["__metadata__"] = new JsonObject(metadata.Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value))),
        };
        long offset = 0;
        foreach ((string name, SafeTensor tensor) in tensors)
        {
            long length = tensor.Shape.Aggregate((long)SafeTensorsHeader.WidthOf(tensor.Type), (product, side) => product * side);
            header[name] = new JsonObject
            {
                ["dtype"] = tensor.Type,
                ["shape"] = new JsonArray([.. tensor.Shape.Select(side => (JsonNode)side)]),
                ["data_offsets"] = new JsonArray(offset, offset + length),
            };
            offset += length;
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

    /// <summary>Reads a file's header, and each tensor when its bytes are asked for. It may be larger than memory.</summary>
    /// <param name="file">Has to stay open for as long as tensors are read.</param>
    /// <exception cref="InvalidDataException">It is not a whole safetensors file.</exception>
    public static (IReadOnlyDictionary<string, SafeTensor> Tensors, SafeTensorsHeader Header) Open(SafeFileHandle file) =>
        Parse(RandomAccess.GetLength(file), (offset, length) => SafeTensorsHeader.ReadBytes(file, offset, length));

    /// <inheritdoc cref="SafeTensorsHeader.Read(long, Func{long, int, byte[]})"/>
    public static (IReadOnlyDictionary<string, SafeTensor> Tensors, SafeTensorsHeader Header) Parse(
        long length, Func<long, int, byte[]> read)
    {
        var header = SafeTensorsHeader.Read(length, read);
        return (header.Tensors.ToDictionary(
            pair => pair.Key,
            pair => pair.Value.Length <= Array.MaxLength
                ? new SafeTensor(pair.Value.Type, [.. pair.Value.Shape], () => read(pair.Value.Offset, (int)pair.Value.Length))
                : throw new InvalidDataException($"tensor {pair.Key} alone has {pair.Value.Length} bytes")), header);
    }
}
