using System.Buffers;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Tests.Training;

/// <summary>Floats as the bytes that are sent.</summary>
public sealed class ChunkStreamTests
{
    private static readonly float[] Values = [1, 2, 3], Sum = [11, 22, 33, 44];

    [Theory]
    [InlineData(1, WireFormat.Float32)]
    [InlineData(3, WireFormat.Float32)]
    [InlineData(1000, WireFormat.Float32)]
    [InlineData(1, WireFormat.Bf16)]
    [InlineData(1000, WireFormat.Bf16)]
    public async Task Chunks_may_come_in_pieces_of_any_length(int longest, WireFormat wire)
    {
        GradientRound round = Begin(wire, out GradientExchange exchange);
        await ChunkStream.ReceiveAsync(new Pieces(Sent(wire), longest), exchange, TestContext.Current.CancellationToken);
        Assert.Equal(Sum, (await round.Whole)[0].ToArray());
    }

    [Fact]
    public async Task Who_hangs_up_in_the_middle_of_a_chunk_has_sent_the_chunks_before()
    {
        GradientRound round = Begin(WireFormat.Float32, out GradientExchange exchange);
        await Assert.ThrowsAsync<EndOfStreamException>(() => ChunkStream.ReceiveAsync(new Pieces(Sent(WireFormat.Float32)[..^1], 5), exchange, TestContext.Current.CancellationToken));
        await round.Reduced;
        Assert.False(round.Whole.IsCompleted);
    }

    [Fact]
    public unsafe void The_bytes_of_floats_may_be_pinned_from_any_on()
    {
        byte[] none = [];
        ReadOnlyMemory<byte> bytes = ChunkStream.BytesOf(new(default, Values.AsMemory(1)), WireFormat.Float32, ref none);
        byte[] expected = [.. Values.Skip(1).SelectMany(BitConverter.GetBytes)];
        for (int first = 0; first < expected.Length; first++)
        {
            using MemoryHandle pin = bytes[first..].Pin();
            Assert.Equal(expected[first..], new ReadOnlySpan<byte>(pin.Pointer, expected.Length - first).ToArray());
        }
    }

    /// <summary>The first of two workers, which owns the first of two chunks of two floats.</summary>
    private static GradientRound Begin(WireFormat wire, out GradientExchange exchange)
    {
        exchange = new(new(2), workers: 2, rank: 0, [4], wire);
        GradientRound round = exchange.Begin(0);
        Memory<float> own = round.Rent(0);
        new float[] { 1, 2, 3, 4 }.CopyTo(own);
        round.Add(part: 0, shard: 0, own);
        return round;
    }

    /// <summary>What the second worker sends: its part of the first chunk, twice, and the second finished.</summary>
    private static byte[] Sent(WireFormat wire)
    {
        Chunk first = new(new(0, ChunkKind.Partial, 0, new(1, 2)), new float[] { 10, 20 }), second = new(new(0, ChunkKind.Finished, 1, new(0, 2)), Sum.AsMemory(2));
        return [.. Bytes(first), .. Bytes(first), .. Bytes(second)];

        byte[] Bytes(Chunk chunk)
        {
            byte[] start = new byte[ChunkHeader.Bytes], none = [];
            chunk.Header.Write(start);
            return [.. start, .. ChunkStream.BytesOf(chunk, wire, ref none).Span];
        }
    }

    /// <summary>Brings at most so many bytes at a time.</summary>
    private sealed class Pieces(byte[] content, int longest) : MemoryStream(content)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, longest)], cancellationToken);
    }
}
