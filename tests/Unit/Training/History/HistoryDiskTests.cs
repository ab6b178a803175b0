using System.Collections.Concurrent;
using System.Diagnostics;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.History;
using PixelCnnCluster.Unit.Tests.Data;
using static PixelCnnCluster.Unit.Tests.Training.History.HistoryEvents;

namespace PixelCnnCluster.Unit.Tests.Training.History;

/// <summary>A disk that is really full costs no event, only the time until there is space again.</summary>
[Trait("Needs", "processes")]
public sealed class HistoryDiskTests : IDisposable
{
    private readonly TempFolder _temp = new();
    private readonly ConcurrentQueue<Exception> _failures = [];
    private readonly bool _mounted;

    public HistoryDiskTests()
    {
        _mounted = Done("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", _temp.Path);
        RunFolder.Make(_temp.Path);
    }

    private string Filler => Path.Combine(_temp.Path, "filler");

    [Fact]
    public async Task What_a_full_disk_refused_is_written_when_there_is_space()
    {
        Assert.SkipUnless(_mounted, "this user may not mount a disk of its own");
        RunHistory history = await RunHistory.OpenAsync(_temp.Path, 0, new HandClock(), _failures.Enqueue).SoonAsync("opened history");
        await Add(new WorkersAwaited(0));
        for (int round = 1; round <= 2; round++)
        {
            Fill();
            await Add(Fault(round));
            await Add(new WorkersAwaited(round));
            Assert.Contains("No space left", _failures.Last().Message, StringComparison.Ordinal);
            Assert.Equal(round, _failures.Count);
            long torn = new FileInfo(Path.Combine(_temp.Path, HistoryFile.Name)).Length;
            Assert.Equal((round * 3) - 2, HistoryFile.Read(Path.Combine(_temp.Path, HistoryFile.Name)).Count);
            Assert.True(torn % 4096 == 0, "the disk took nothing of the event, so that this test shows nothing about torn ones");

            File.Delete(Filler);
            await Add(Step(round));
            Assert.Equal(round, _failures.Count);
        }

        RunEvent[] all = [new WorkersAwaited(0), Fault(1), new WorkersAwaited(1), Step(1), Fault(2), new WorkersAwaited(2),
            Step(2, skipped: true)];
        IReadOnlyList<HistoryEntry> stored = HistoryFile.Read(Path.Combine(_temp.Path, HistoryFile.Name));
        Assert.Equal(Texts(all), Texts(stored.Select(entry => entry.Event)));
        Assert.Equal(Enumerable.Range(0, 7).Select(i => (long)i), stored.Select(entry => entry.Position));
        Assert.Equal(Texts(all), Texts((await history.ReadAsync(0, TimeSpan.Zero, () => false)).Events));

        Task Add(RunEvent happened)
        {
            history.Add(happened is StepCommitted step ? step with { Skipped = step.Step == 2 } : happened);
            return history.FlushAsync().SoonAsync($"try to write {happened}");
        }
    }

    [Fact]
    public void A_curve_goes_on_in_a_new_file_after_a_torn_one()
    {
        Assert.SkipUnless(_mounted, "this user may not mount a disk of its own");
        var board = new TensorBoardLog(_temp.Path, new HandClock());
        board.Write([new(0, Step(1))]);
        Fill();
        Assert.Throws<IOException>(() => board.Write(Enumerable.Range(2, 20).Select(step => new HistoryEntry(step, Step(step)))));
        File.Delete(Filler);
        board.Write([new(30, Step(30))]);
        string newest = Directory.GetFiles(_temp.Path, "events.out.tfevents.*").Order().Last();
        Assert.Equal([30], TensorBoardHistoryTests.Records(newest).Skip(1).Select(record => record.Step).Distinct());
    }

    public void Dispose()
    {
        if (_mounted)
            Assert.True(Done("umount", _temp.Path));
        _temp.Dispose();
    }

    /// <summary>Longer than the rest of a page, so that the full disk takes a part of it.</summary>
    private static FaultNoticed Fault(int step) => new(step, "a", new string('x', 6000));

    private void Fill()
    {
        using FileStream file = new(Filler, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        byte[] page = new byte[4096];
        Assert.Throws<IOException>(() => WriteUpTo(1000));

        void WriteUpTo(int pages)
        {
            for (int i = 0; i < pages; i++)
                file.Write(page);
        }
    }

    private static bool Done(string command, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
