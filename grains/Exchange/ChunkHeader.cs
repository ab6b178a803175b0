using System.Buffers.Binary;

namespace PixelCnnCluster.Exchange;

/// <summary>Whether a chunk is a partial sum on its way to the chunk's owner or the finished sum on its way back.</summary>
public enum ChunkKind { Partial, Finished }

/// <summary>
/// What a chunk is: the sum over the shards of <paramref name="Node"/> of the floats that belong to chunk number <paramref name="Chunk"/>.
/// </summary>
public readonly record struct ChunkHeader(long Step, ChunkKind Kind, int Chunk, ShardRange Node)
{
    /// <summary>Length when written.</summary>
    public const int Bytes = 24;

    /// <summary>Little-endian: step, kind, chunk, first shard, end shard.</summary>
    public void Write(Span<byte> target)
    {
        BinaryPrimitives.WriteInt64LittleEndian(target, Step);
        BinaryPrimitives.WriteInt32LittleEndian(target[8..], (int)Kind);
        BinaryPrimitives.WriteInt32LittleEndian(target[12..], Chunk);
        BinaryPrimitives.WriteInt32LittleEndian(target[16..], Node.First);
        BinaryPrimitives.WriteInt32LittleEndian(target[20..], Node.End);
    }

    public static ChunkHeader Read(ReadOnlySpan<byte> source) => new(
        BinaryPrimitives.ReadInt64LittleEndian(source),
        (ChunkKind)BinaryPrimitives.ReadInt32LittleEndian(source[8..]),
        BinaryPrimitives.ReadInt32LittleEndian(source[12..]),
        new(BinaryPrimitives.ReadInt32LittleEndian(source[16..]), BinaryPrimitives.ReadInt32LittleEndian(source[20..])));
}

/// <summary>A chunk on its way to a peer.</summary>
/// <param name="Values">Read when the chunk is sent; the vector may be used for other things once the step is over.</param>
public readonly record struct Chunk(ChunkHeader Header, ReadOnlyMemory<float> Values);
