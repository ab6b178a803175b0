using System.Buffers;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Exchange.Tests;

/// <summary>Floats as the bytes that are sent.</summary>
public sealed class ChunkStreamTests
{
    private static readonly float[] Values = [1, 2, 3];

    [Theory]
    [InlineData(1, WireFormat.Float32)]
    [InlineData(3, WireFormat.Float32)]
    [InlineData(1000, WireFormat.Float32)]
    [InlineData(1, WireFormat.Bf16)]
    [InlineData(1000, WireFormat.Bf16)]
    public async Task Chunks_may_come_in_pieces_of_any_length(int longest, WireFormat wire)
    {
        GradientExchange exchange = new(new(2), new(0, 2), [4], wire);
        AllReduceStep step = SecondWorker.Meets(exchange);
        await ChunkStream.ReceiveAsync(new Pieces(SecondWorker.Sends(wire), longest), exchange, TestContext.Current.CancellationToken);
        Assert.Equal(SecondWorker.Sum, (await step.Whole)[0].ToArray());
    }

    [Fact]
    public async Task Who_hangs_up_in_the_middle_of_a_chunk_has_sent_the_chunks_before()
    {
        GradientExchange exchange = new(new(2), new(0, 2), [4], WireFormat.Float32);
        AllReduceStep step = SecondWorker.Meets(exchange);
        await Assert.ThrowsAsync<EndOfStreamException>(
            () => ChunkStream.ReceiveAsync(
                new Pieces(SecondWorker.Sends(WireFormat.Float32)[..^1], 5), exchange, TestContext.Current.CancellationToken));
        await step.Reduced;
        Assert.False(step.Whole.IsCompleted);
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

    /// <summary>Brings at most so many bytes at a time.</summary>
    private sealed class Pieces(byte[] content, int longest) : MemoryStream(content)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, longest)], cancellationToken);
    }
}
