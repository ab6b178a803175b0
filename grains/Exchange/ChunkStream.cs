using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Exchange;

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

    /// <summary>
    /// Hands chunks to the exchange until the sender hangs up. Values are read to where they belong, without a copy, if they come as
    /// floats.
    /// </summary>
    /// <exception cref="IOException">The sender hung up in the middle of a chunk's values.</exception>
    /// <exception cref="InvalidDataException">What comes is no chunk for this worker.</exception>
    /// <exception cref="OperationCanceledException">The generation is over.</exception>
    public static async Task ReceiveAsync(Stream stream, GradientExchange exchange, CancellationToken cancel)
    {
        byte[] start = new byte[ChunkHeader.Bytes], buffer = [];
        while (await stream.ReadAtLeastAsync(start, start.Length, throwOnEndOfStream: false, cancel) == start.Length)
        {
            var header = ChunkHeader.Read(start);
            int floats = exchange.LengthOf(header);
            Memory<float>? place = exchange.Open(header);
            if (place is { } values && exchange.Wire == WireFormat.Float32)
            {
                await stream.ReadExactlyAsync(new FloatBytes(values).Memory, cancel);
            }
            else
            {
                int length = floats * (exchange.Wire == WireFormat.Bf16 ? Bf16.Bytes : sizeof(float));
                if (buffer.Length < length)
                    buffer = GC.AllocateUninitializedArray<byte>(length);
                await stream.ReadExactlyAsync(buffer.AsMemory(0, length), cancel);
                if (place is { } converted)
                    Bf16.Unpack(buffer.AsSpan(0, length), converted.Span);
            }

            if (place is { } complete)
                exchange.Close(header, complete);
        }
    }
}
