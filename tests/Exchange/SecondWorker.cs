using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Exchange.Tests;

/// <summary>
/// What the second of two workers sends to the first, in a step with one shard each and four floats in two chunks, of which the first
/// worker owns the first.
/// </summary>
internal static class SecondWorker
{
    /// <summary>Of both gradients.</summary>
    public static float[] Sum { get; } = [11, 22, 33, 44];

    /// <summary>The first worker's exchange begins a step with its own gradient.</summary>
    public static AllReduceStep Meets(GradientExchange exchange) => Begin(exchange, step: 0, rank: 0, [1, 2, 3, 4]);

    /// <summary>Begins a step with the gradient of a worker's only shard.</summary>
    public static AllReduceStep Begin(GradientExchange exchange, long step, int rank, float[] gradient)
    {
        AllReduceStep round = exchange.Begin(step);
        Memory<float> own = round.Rent(0);
        gradient.CopyTo(own);
        round.Add(part: 0, shard: rank, own);
        return round;
    }

    /// <summary>Its part of the first chunk, twice, and the second finished.</summary>
    public static byte[] Sends(WireFormat wire)
    {
        byte[] first = Bytes(new(new(0, ChunkKind.Partial, 0, new(1, 2)), new float[] { 10, 20 }), wire);
        return [.. first, .. first, .. Bytes(new(new(0, ChunkKind.Finished, 1, new(0, 2)), Sum.AsMemory(2)), wire)];
    }

    /// <summary>A chunk with its header.</summary>
    public static byte[] Bytes(Chunk chunk, WireFormat wire)
    {
        byte[] start = new byte[ChunkHeader.Bytes], none = [];
        chunk.Header.Write(start);
        return [.. start, .. ChunkStream.BytesOf(chunk, wire, ref none).Span];
    }
}
