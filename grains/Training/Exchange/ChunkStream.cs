using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.InteropServices;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Training;

/// <summary>Chunks as bytes: headers, each with its values behind it.</summary>
public static class ChunkStream
{
    /// <summary>What follows a chunk's header: its values where they lie, or in a buffer if they are sent in another form.</summary>
    /// <param name="buffer">Made longer if it has to be.</param>
    public static ReadOnlyMemory<byte> BytesOf(Chunk chunk, WireFormat wire, ref byte[] buffer)
    {
        if (wire == WireFormat.Float32)
            return new FloatBytes(chunk.Values).Memory;
        int length = chunk.Values.Length * Bf16.Bytes;
        if (buffer.Length < length)
            buffer = GC.AllocateUninitializedArray<byte>(length);
        Bf16.Pack(chunk.Values.Span, buffer.AsSpan(0, length));
        return buffer.AsMemory(0, length);
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
