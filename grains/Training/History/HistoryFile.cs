using System.Buffers;
using MessagePack;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;

namespace PixelCnnCluster.Training.History;

/// <summary>An event and its place in the run's order.</summary>
internal readonly record struct HistoryEntry(long Position, RunEvent Event);

/// <summary>
/// A run's events on disk: MessagePack arrays [position, event], one after another. Only ever appended to; what a killed writer or
/// a full disk left of an entry is cut off before the next one. Used by one thread at a time.
/// </summary>
internal sealed class HistoryFile(string folder)
{
    public const string Name = "history.msgpack";

    private readonly string _path = Path.Combine(folder, Name);
    private bool _endIsWhole;

    /// <summary>
    /// The entries up to the first damage, oldest first; none if there is no file. Those of a kind that this version
    /// does not know are left out, and so are pictures without their pixels.
    /// </summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static IReadOnlyList<HistoryEntry> Read(string path) => File.Exists(path) ? Parse(File.ReadAllBytes(path)).Entries : [];

    /// <summary>Writes the entries with one write.</summary>
    /// <exception cref="IOException">The disk refused, or the folder is not there; none of these entries counts as written.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be written.</exception>
    public void Append(IEnumerable<HistoryEntry> entries)
    {
        var bytes = new ArrayBufferWriter<byte>();
        var writer = new MessagePackWriter(bytes);
        foreach (HistoryEntry entry in entries)
        {
            writer.WriteArrayHeader(2);
            writer.Write(entry.Position);
            MessagePackSerializer.Serialize(ref writer, entry.Event);
        }

        writer.Flush();
        RunFolder.Require(folder);
        RealPath.RefuseLink(_path);
        if (!_endIsWhole && File.Exists(_path))
            CutTornEnd();
        _endIsWhole = false;
        using (FileStream file = new(_path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0))
            file.Write(bytes.WrittenSpan);
        _endIsWhole = true;
    }

    private void CutTornEnd()
    {
        byte[] content = File.ReadAllBytes(_path);
        int whole = Parse(content).Whole;
        if (whole == content.Length)
            return;
        using FileStream file = new(_path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        file.SetLength(whole);
    }

    /// <returns>The entries, and the bytes that they and those left out take.</returns>
    private static (List<HistoryEntry> Entries, int Whole) Parse(ReadOnlyMemory<byte> file)
    {
        List<HistoryEntry> entries = [];
        int whole = 0;
        while (Length(file[whole..]) is { } length)
        {
            if (Decode(file.Slice(whole, length)) is { } entry)
                entries.Add(entry);
            whole += length;
        }

        return (entries, whole);
    }

    /// <summary>Bytes of the first entry; null if it is not whole, or no entry.</summary>
    private static int? Length(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            var reader = new MessagePackReader(bytes);
            if (reader.ReadArrayHeader() != 2)
                return null;
            reader.Skip();
            reader.Skip();
            return (int)reader.Consumed;
        }
        catch (Exception fault) when (fault is EndOfStreamException or MessagePackSerializationException)
        {
            return null;
        }
    }

    private static HistoryEntry? Decode(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            var reader = new MessagePackReader(bytes);
            reader.ReadArrayHeader();
            long position = reader.ReadInt64();
            RunEvent? known = MessagePackSerializer.Deserialize<RunEvent?>(ref reader);
            if (known is null or RunStarted { Spec: null } or GenerationOpened { Workers: null })
                return null;
            _ = (known as SamplesWritten)?.Images();
            return new(position, known);
        }
        catch (Exception fault) when (fault is MessagePackSerializationException or OverflowException or ArgumentException)
        {
            return null;
        }
    }
}
