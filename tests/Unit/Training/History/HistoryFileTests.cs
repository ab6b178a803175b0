using System.Buffers;
using MessagePack;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.History;
using PixelCnnCluster.Unit.Tests.Data;
using static PixelCnnCluster.Unit.Tests.Training.History.HistoryEvents;

namespace PixelCnnCluster.Unit.Tests.Training.History;

/// <summary>Whatever happens to the file's end, what was whole before is read and what is appended later too.</summary>
public sealed class HistoryFileTests : IDisposable
{
    private readonly TempFolder _temp = new();

    private string Folder => _temp.Path;

    private string File1 => Path.Combine(Folder, HistoryFile.Name);

    public HistoryFileTests() => RunFolder.Make(_temp.Path);

    [Fact]
    public void Every_kind_of_event_comes_back_as_it_was()
    {
        Type[] kinds = [.. typeof(RunEvent).Assembly.GetTypes().Where(type => type.BaseType == typeof(RunEvent))];
        Assert.Equal(kinds.ToHashSet(), [.. OfEveryKind.Select(happened => happened.GetType())]);
        var file = new HistoryFile(Folder);
        Assert.Empty(HistoryFile.Read(File1));
        file.Append(Entries(10, OfEveryKind.Take(4)));
        file.Append(Entries(1L << 34, OfEveryKind.Skip(4)));
        IReadOnlyList<HistoryEntry> read = HistoryFile.Read(File1);
        Assert.Equal(Texts(OfEveryKind), Texts(read.Select(entry => entry.Event)));
        Assert.Equal([10, 11, 12, 13, .. Enumerable.Range(0, 6).Select(i => (1L << 34) + i)], read.Select(entry => entry.Position));
    }

    /// <summary>Where a volume is not mounted, nothing is to lie under its place.</summary>
    [Fact]
    public void A_folder_that_is_not_there_is_not_made()
    {
        string missing = Path.Combine(Folder, "missing");

        Assert.Throws<DirectoryNotFoundException>(() => new HistoryFile(missing).Append(Entries(1, [new WorkersAwaited(1)])));

        Assert.False(Directory.Exists(missing));
    }

    [Fact]
    public void A_file_torn_anywhere_gives_what_is_whole_and_takes_more_events()
    {
        (byte[] valid, int[] ends) = Written();
        for (int length = 0; length <= valid.Length; length++)
        {
            int whole = ends.Count(end => end <= length);
            File.WriteAllBytes(File1, valid[..length]);
            Assert.Equal(Texts(OfEveryKind.Take(whole)), Texts(HistoryFile.Read(File1).Select(entry => entry.Event)));
            new HistoryFile(Folder).Append(Entries(100, [new WorkersAwaited(100)]));
            Assert.Equal(
                Texts([.. OfEveryKind.Take(whole), new WorkersAwaited(100)]), Texts(HistoryFile.Read(File1).Select(entry => entry.Event)));
        }
    }

    [Fact]
    public void A_flipped_byte_leaves_what_comes_before_it_and_takes_more_events()
    {
        (byte[] valid, int[] ends) = Written();
        for (int position = 0; position < valid.Length; position++)
        {
            int whole = ends.Count(end => end <= position);
            byte[] damaged = [.. valid];
            damaged[position] ^= 0xFF;
            File.WriteAllBytes(File1, damaged);
            Assert.Equal(Texts(OfEveryKind.Take(whole)), Texts(HistoryFile.Read(File1).Take(whole).Select(entry => entry.Event)));
            new HistoryFile(Folder).Append(Entries(100, [new WorkersAwaited(100)]));
            Assert.Equal(new WorkersAwaited(100), HistoryFile.Read(File1)[^1].Event);
        }
    }

    /// <summary>To draw them would take the memory that their numbers say.</summary>
    [Theory]
    [InlineData(1, 1, 20_000, 0)]
    [InlineData(1, 2, 1, 2)]
    [InlineData(int.MaxValue, 1, 0, 0)]
    [InlineData(65_536, 1, 65_536, 0)]
    [InlineData(-1, 1, 1, 1)]
    public void Pictures_without_their_pixels_are_left_out(int count, int channels, int size, int bytes)
    {
        new HistoryFile(Folder).Append(Entries(1, [new SamplesWritten(1, "p.png", count, channels, size, new byte[bytes]), Samples(2)]));

        Assert.Equal(Text(Samples(2)), Text(Assert.Single(HistoryFile.Read(File1)).Event));
    }

    [Fact]
    public void Endless_nesting_is_damage_like_any_other()
    {
        (byte[] valid, _) = Written();
        foreach (byte[] start in new byte[][] { [], [0x92], [0x92, 1], [0x92, 1, 0x92] })
        {
            File.WriteAllBytes(File1, [.. valid, .. start, .. Enumerable.Repeat((byte)0x91, 1_000_000), 0xC0]);
            Assert.Equal(OfEveryKind.Count, HistoryFile.Read(File1).Count);
        }
    }

    [Fact]
    public void Events_of_other_versions_are_read_as_far_as_they_are_known()
    {
        var bytes = new ArrayBufferWriter<byte>();
        var writer = new MessagePackWriter(bytes);
        Head(ref writer, position: 1, kind: 1_000, keys: 0);
        Head(ref writer, position: 2, kind: 7, keys: 3);
        writer.Write("Step");
        writer.Write(5);
        writer.Write("Later");
        writer.WriteArrayHeader(1);
        writer.Write("unknown");
        writer.Write("Message");
        writer.Write("fault");
        Head(ref writer, position: 3, kind: 7, keys: 1);
        writer.Write("Step");
        writer.Write("not a number");
        Head(ref writer, position: 4, kind: 0, keys: 1);
        writer.Write("Spec");
        writer.WriteMapHeader(1);
        writer.Write("Filters");
        writer.Write(3);
        writer.Flush();
        Directory.CreateDirectory(Folder);
        File.WriteAllBytes(File1, bytes.WrittenSpan);
        new HistoryFile(Folder).Append(Entries(5, [Step(5)]));
        IReadOnlyList<HistoryEntry> read = HistoryFile.Read(File1);
        Assert.Equal([2, 4, 5], read.Select(entry => entry.Position));
        Assert.Equal(new FaultNoticed(5, null, "fault"), read[0].Event);
        Assert.Equal(new RunSpec { Model = new() { Filters = 3 } }, ((RunStarted)read[1].Event).Spec);

        static void Head(ref MessagePackWriter writer, long position, int kind, int keys)
        {
            writer.WriteArrayHeader(2);
            writer.Write(position);
            writer.WriteArrayHeader(2);
            writer.Write(kind);
            writer.WriteMapHeader(keys);
        }
    }

    public void Dispose() => _temp.Dispose();

    private static IEnumerable<HistoryEntry> Entries(long first, IEnumerable<RunEvent> events) =>
        events.Select((happened, i) => new HistoryEntry(first + i, happened));

    /// <summary>The file's bytes, and where each event ends.</summary>
    private (byte[] Bytes, int[] Ends) Written()
    {
        var file = new HistoryFile(Folder);
        int[] ends = [.. Entries(0, OfEveryKind).Select(entry =>
        {
            file.Append([entry]);
            return (int)new FileInfo(File1).Length;
        })];
        return (File.ReadAllBytes(File1), ends);
    }
}
