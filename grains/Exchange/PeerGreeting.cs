using System.Buffers.Binary;
using MessagePack;

namespace PixelCnnCluster.Exchange;

/// <summary>
/// The first thing that is said on a connection between workers: whose chunks of which generation will come. Nothing is said in return; who
/// is not wanted is hung up on.
/// </summary>
[MessagePackObject]
public sealed record PeerGreeting(
    [property: Key(0)] string Run, [property: Key(1)] int Generation, [property: Key(2)] string Worker, [property: Key(3)] Guid Nonce)
{
    private const int LongestBytes = 4096;

    /// <summary>Length and content.</summary>
    public byte[] ToBytes()
    {
        byte[] content = MessagePackSerializer.Serialize(this), framed = new byte[sizeof(int) + content.Length];
        BinaryPrimitives.WriteInt32LittleEndian(framed, content.Length);
        content.CopyTo(framed, sizeof(int));
        return framed;
    }

    /// <exception cref="IOException">The peer hung up.</exception>
    /// <exception cref="InvalidDataException">Something else was said.</exception>
    public static async Task<PeerGreeting> ReadAsync(Stream stream, CancellationToken cancel)
    {
        byte[] start = new byte[sizeof(int)];
        await stream.ReadExactlyAsync(start, cancel);
        int length = BinaryPrimitives.ReadInt32LittleEndian(start);
        if (length is <= 0 or > LongestBytes)
            throw new InvalidDataException("no greeting came");
        byte[] content = new byte[length];
        await stream.ReadExactlyAsync(content, cancel);
        try
        {
            return MessagePackSerializer.Deserialize<PeerGreeting>(content, cancellationToken: cancel);
        }
        catch (MessagePackSerializationException fault)
        {
            throw new InvalidDataException("no greeting came", fault);
        }
    }
}
