using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.InteropServices;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Training;

/// <summary>Chunks as bytes: headers, each with its values behind it.</summary>
public static class ChunkStream
{
    /// <summary>A chunk as it is sent.</summary>
    /// <param name="bytes">A buffer to write to, made longer if it has to be.</param>
    /// <returns>What was written.</returns>
    public static Memory<byte> Write(Chunk chunk, WireFormat wire, ref byte[] bytes)
    {
        ReadOnlySpan<float> values = chunk.Values.Span;
        int length = ChunkHeader.Bytes + (values.Length * BytesPerFloat(wire));
        if (bytes.Length < length)
            bytes = GC.AllocateUninitializedArray<byte>(length);
        chunk.Header.Write(bytes);
        Span<byte> content = bytes.AsSpan(ChunkHeader.Bytes, length - ChunkHeader.Bytes);
        if (wire == WireFormat.Bf16)
            Bf16.Pack(values, content);
        else
            MemoryMarshal.AsBytes(values).CopyTo(content);
        return bytes.AsMemory(0, length);
    }

    /// <summary>Hands chunks to the exchange until the sender ends or hangs up.</summary>
    /// <exception cref="InvalidDataException">What comes is no chunk for this worker.</exception>
    /// <exception cref="OperationCanceledException">The exchange was abandoned.</exception>
    public static async Task ReceiveAsync(PipeReader reader, GradientExchange exchange, CancellationToken cancel)
    {
        byte[] halves = [];
        while (true)
        {
            ReadOnlySequence<byte> buffer = (await reader.ReadAtLeastAsync(ChunkHeader.Bytes, cancel)).Buffer;
            if (buffer.Length < ChunkHeader.Bytes)
                return;
            ChunkHeader header = HeaderOf(buffer);
            reader.AdvanceTo(buffer.GetPosition(ChunkHeader.Bytes));
            int length = exchange.LengthOf(header) * BytesPerFloat(exchange.Wire);
            Memory<float>? values = exchange.Open(header);
            if (values is not null && exchange.Wire == WireFormat.Bf16 && halves.Length < length)
                halves = GC.AllocateUninitializedArray<byte>(length);
            for (int come = 0; come < length;)
            {
                ReadResult read = await reader.ReadAsync(cancel);
                buffer = read.Buffer.Slice(0, Math.Min(read.Buffer.Length, length - come));
                if (values is { } target)
                    buffer.CopyTo((exchange.Wire == WireFormat.Bf16 ? halves : MemoryMarshal.AsBytes(target.Span))[come..]);
                come += (int)buffer.Length;
                reader.AdvanceTo(buffer.End);
                if (read.IsCompleted && come < length)
                    return;
            }

            if (values is not { } complete)
                continue;
            if (exchange.Wire == WireFormat.Bf16)
                Bf16.Unpack(halves.AsSpan(0, length), complete.Span);
            exchange.Close(header, complete);
        }
    }

    private static int BytesPerFloat(WireFormat wire) => wire == WireFormat.Bf16 ? Bf16.Bytes : sizeof(float);

    private static ChunkHeader HeaderOf(ReadOnlySequence<byte> buffer)
    {
        Span<byte> header = stackalloc byte[ChunkHeader.Bytes];
        buffer.Slice(0, ChunkHeader.Bytes).CopyTo(header);
        return ChunkHeader.Read(header);
    }
}
