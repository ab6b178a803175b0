using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using MessagePack;

namespace PixelCnnCluster.Training;

/// <summary>The first thing that is said on a connection between workers: whose chunks of which generation will come. Nothing is said in return; who is not wanted is hung up on.</summary>
[MessagePackObject]
public sealed record PeerGreeting([property: Key(0)] string Run, [property: Key(1)] int Generation, [property: Key(2)] string Worker)
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

    /// <exception cref="InvalidDataException">Something else was said.</exception>
    public static async Task<PeerGreeting> ReadAsync(PipeReader reader, CancellationToken cancel)
    {
        ReadOnlySequence<byte> buffer = (await reader.ReadAtLeastAsync(sizeof(int), cancel)).Buffer;
        int length = buffer.Length < sizeof(int) ? 0 : BitConverter.ToInt32(buffer.Slice(0, sizeof(int)).ToArray());
        if (length is <= 0 or > LongestBytes)
            throw new InvalidDataException("no greeting came");
        reader.AdvanceTo(buffer.Start);
        buffer = (await reader.ReadAtLeastAsync(sizeof(int) + length, cancel)).Buffer;
        try
        {
            PeerGreeting greeting = MessagePackSerializer.Deserialize<PeerGreeting>(buffer.Slice(sizeof(int), length), cancellationToken: cancel);
            reader.AdvanceTo(buffer.GetPosition(sizeof(int) + length));
            return greeting;
        }
        catch (Exception fault) when (fault is MessagePackSerializationException or ArgumentOutOfRangeException)
        {
            throw new InvalidDataException("no greeting came", fault);
        }
    }
}
