using System.Collections.Concurrent;
using System.Text;
using Google.Protobuf;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Pictures;
using PixelCnnCluster.Training.History;
using PixelCnnCluster.Unit.Tests.Data;
using SkiaSharp;
using static PixelCnnCluster.Unit.Tests.Training.History.HistoryEvents;

namespace PixelCnnCluster.Unit.Tests.Training.History;

/// <summary>The event files are TFRecords of TensorBoard's events, read here by the published format alone.</summary>
public sealed class TensorBoardHistoryTests : IDisposable
{
    private readonly TempFolder _temp = new();
    private readonly HandClock _clock = new();

    public TensorBoardHistoryTests() => RunFolder.Make(_temp.Path);

    [Fact]
    public async Task Curves_and_pictures_are_in_the_event_file()
    {
        string png = Path.Combine(_temp.Path, "samples.png");
        PictureGrid.Write(png, new([.. Enumerable.Range(0, 3 * 8 * 8).Select(i => (byte)i)], Count: 1, Channels: 3, Size: 8));
        RunHistory history = await Open(Unexpected);
        foreach (RunEvent happened in OfEveryKind.Where(happened => happened is not SamplesWritten))
            history.Add(happened);
        history.Add(new Evaluated(10, 1, null, -2.5, 100, 1));
        history.Add(Samples(11) with { Path = png });
        await history.FlushAsync().SoonAsync("write");

        List<Record> records = Records(Assert.Single(EventFiles));
        Assert.All(records.Skip(1), record => Assert.Equal(_clock.GetUtcNow().ToUnixTimeSeconds(), record.WallTime));
        Assert.Equal(["brain.Event:2", .. Enumerable.Repeat("", records.Count - 1)], records.Select(record => record.FileVersion));
        Assert.Equal(
            [
                "8 train/loss NaN", "8 train/gradient_norm Infinity", "8 train/learning_rate 0", "8 train/images_per_s -Infinity",
                "8 cluster/workers 2", "8 cluster/generation 2",
                "9 train/bits_per_dim 3.25", "9 train/gradient_norm 0.125", "9 train/learning_rate 0.001", "9 train/images_per_s 250",
                "9 cluster/workers 2", "9 cluster/generation 1",
                "9 test/bits_per_dim 3.5", "10 test/loss -2.5",
            ],
            records.SelectMany(record => record.Scalars));
        Record drawn = Assert.Single(records, record => record.Picture is not null);
        using SKBitmap written = SKBitmap.Decode(png), logged = SKBitmap.Decode(drawn.Picture);
        Assert.Equal(written.Bytes, logged.Bytes);
        Assert.Equal((11, written.Width), (drawn.Step, logged.Width));
    }

    [Fact]
    public async Task Steps_come_at_the_rate_of_the_history_and_each_process_has_its_own_file()
    {
        for (int process = 0; process < 2; process++)
        {
            RunHistory history = await Open(Unexpected);
            for (int step = 0; step < 20; step++)
            {
                history.Add(Step((20 * process) + step));
                _clock.Advance(TimeSpan.FromMilliseconds(250));
            }

            await history.FlushAsync().SoonAsync("write");
        }

        Assert.Equal(
            [[0, 4, 8, 12, 16], [20, 24, 28, 32, 36]],
            EventFiles.Order().Select(path => Records(path).Skip(1).Select(record => (int)record.Step).Distinct()));
    }

    [Fact]
    public async Task A_picture_that_is_gone_is_left_out()
    {
        RunHistory history = await Open(Unexpected);
        history.Add(Samples(1) with { Path = Path.Combine(_temp.Path, "gone.png") });
        history.Add(Step(2));
        await history.FlushAsync().SoonAsync("write");
        Assert.Equal(2, Records(Assert.Single(EventFiles)).Select(record => record.Step).Max());
    }

    [Fact]
    public async Task Events_that_TensorBoard_cannot_take_are_told_once_and_stop_nothing()
    {
        ConcurrentQueue<Exception> failures = [];
        RunHistory history = await Open(failures.Enqueue);
        foreach (int step in new[] { 1, 0, 2, 0, 0, 3, 4 })
        {
            history.Add(step > 0 ? new Evaluated(step, 0, 3, 6, 1, 1) : new Evaluated(long.MaxValue, 0, 3, 6, 1, 1));
            await history.FlushAsync().SoonAsync("write");
        }

        Assert.Equal(2, failures.Count);
        Assert.Equal([0, 1, 2, 3, 4], EventFiles.SelectMany(Records).Select(record => record.Step).Distinct().Order());
        Assert.Equal(7, HistoryFile.Read(Path.Combine(_temp.Path, HistoryFile.Name)).Count);
    }

    [Fact]
    public void The_checksum_of_this_test_is_the_published_one() => Assert.Equal(0xE3069283, Checksum("123456789"u8));

    public void Dispose() => _temp.Dispose();

    private string[] EventFiles => Directory.GetFiles(_temp.Path, "events.out.tfevents.*");

    private static void Unexpected(Exception fault) => Assert.Fail($"the history failed: {fault}");

    private Task<RunHistory> Open(Action<Exception> failed) =>
        RunHistory.OpenAsync(_temp.Path, 0, _clock, failed).SoonAsync("opened history");

    internal sealed record Record(double WallTime, long Step, string FileVersion, List<string> Scalars, byte[]? Picture);

    internal static List<Record> Records(string path)
    {
        List<Record> records = [];
        for (ReadOnlySpan<byte> rest = File.ReadAllBytes(path); rest.Length > 0;)
        {
            int length = (int)BitConverter.ToInt64(rest);
            Assert.Equal(Masked(rest[..8]), BitConverter.ToUInt32(rest[8..]));
            ReadOnlySpan<byte> data = rest.Slice(12, length);
            Assert.Equal(Masked(data), BitConverter.ToUInt32(rest[(12 + length)..]));
            records.Add(Parse(data.ToArray()));
            rest = rest[(16 + length)..];
        }

        return records;
    }

    /// <summary>
    /// Event: 1 wall_time, 2 step, 3 file_version, 5 summary. Summary: 1 value. Value: 1 tag, 2 simple_value, 4 image.
    /// Image: 4 encoded_image_string.
    /// </summary>
    private static Record Parse(byte[] data)
    {
        ILookup<int, object> fields = Fields(data);
        long step = fields[2].Cast<long>().SingleOrDefault();
        List<string> scalars = [];
        byte[]? picture = null;
        foreach (ILookup<int, object> value in fields[5].Cast<byte[]>().SelectMany(summary => Fields(summary)[1]).Cast<byte[]>()
            .Select(Fields))
        {
            string tag = Encoding.UTF8.GetString((byte[])value[1].Single());
            if (value[2].SingleOrDefault() is float scalar)
                scalars.Add(FormattableString.Invariant($"{step} {tag} {scalar}"));
            else
                picture = (byte[])Fields((byte[])value[4].Single())[4].Single();
        }

        return new(
            (double)fields[1].Single(), step, Encoding.UTF8.GetString(fields[3].Cast<byte[]>().SingleOrDefault([])), scalars, picture);
    }

    private static ILookup<int, object> Fields(byte[] message)
    {
        List<(int Number, object Value)> fields = [];
        using var input = new CodedInputStream(message);
        while (input.ReadTag() is var tag and not 0)
        {
            fields.Add(((int)(tag >> 3), (tag & 7) switch
            {
                0 => input.ReadInt64(),
                1 => input.ReadDouble(),
                2 => input.ReadBytes().ToByteArray(),
                5 => input.ReadFloat(),
                uint type => throw new InvalidDataException($"wire type {type}"),
            }));
        }

        return fields.ToLookup(field => field.Number, field => field.Value);
    }

    private static uint Masked(ReadOnlySpan<byte> data) => uint.RotateRight(Checksum(data), 15) + 0xa282ead8;

    /// <summary>CRC-32C, bit by bit.</summary>
    private static uint Checksum(ReadOnlySpan<byte> data)
    {
        uint checksum = uint.MaxValue;
        foreach (byte value in data)
        {
            checksum ^= value;
            for (int bit = 0; bit < 8; bit++)
                checksum = (checksum >> 1) ^ ((checksum & 1) * 0x82F63B78);
        }

        return ~checksum;
    }
}
