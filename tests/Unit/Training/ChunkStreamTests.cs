using System.Buffers;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Tests.Training;

/// <summary>Floats as the bytes that are sent.</summary>
public sealed class ChunkStreamTests
{
    private static readonly float[] Values = [1, 2, 3];

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
}
