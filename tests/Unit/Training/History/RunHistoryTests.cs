using System.Collections.Concurrent;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.History;
using PixelCnnCluster.Unit.Tests.Data;
using static PixelCnnCluster.Unit.Tests.Training.History.HistoryEvents;

namespace PixelCnnCluster.Unit.Tests.Training.History;

/// <summary>Readers see each event once and in order, across restarts; memory and file stay bounded.</summary>
public sealed class RunHistoryTests : IAsyncDisposable
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly TempFolder _temp = new();
    private readonly HandClock _clock = new();
    private readonly List<RunHistory> _opened = [];

    public RunHistoryTests() => RunFolder.Make(_temp.Path);

    [Fact]
    public async Task Positions_go_on_after_what_the_file_holds_or_at_the_first_one_given()
    {
        RunHistory history = await Open(5);
        history.Add(new WorkersAwaited(1));
        history.Add(new WorkersAwaited(2));
        Assert.Equal(7, (await Read(history, 0)).Next);
        await history.FlushAsync().SoonAsync("write");

        RunHistory again = await Open(0);
        again.Add(new WorkersAwaited(3));
        Assert.Equal(8, (await Read(again, 0)).Next);
        await again.FlushAsync().SoonAsync("write");

        RunHistory restarted = await Open(1L << 32);
        Assert.Equal((1L << 32, 0), ((await Read(restarted, 8)).Next, (await Read(restarted, 8)).Events.Count));
        restarted.Add(new WorkersAwaited(4));
        RunProgress all = await Read(restarted, 6);
        Assert.Equal([new WorkersAwaited(2), new WorkersAwaited(3), new WorkersAwaited(4)], all.Events);
        Assert.Equal((1L << 32) + 1, all.Next);
    }

    [Fact]
    public async Task What_a_replaced_writer_adds_late_is_not_taken()
    {
        var file = new HistoryFile(_temp.Path);
        long restart = 1L << 32;
        file.Append([new(1, new WorkersAwaited(1)), new(restart, new WorkersAwaited(2))]);
        file.Append([new(2, new WorkersAwaited(3)), new(restart + 1, new WorkersAwaited(4))]);
        Assert.Equal([new WorkersAwaited(1), new WorkersAwaited(2), new WorkersAwaited(4)], (await Read(await Open(0), 0)).Events);
    }

    [Fact]
    public async Task The_file_has_a_step_a_second_and_all_that_is_not_a_step()
    {
        RunHistory history = await Open(0);
        for (int step = 0; step < 50; step++)
        {
            history.Add(Step(step, skipped: step == 33));
            if (step % 10 == 3)
                history.Add(new Evaluated(step, 0, 3, 6, 1, 1));
            _clock.Advance(TimeSpan.FromMilliseconds(100));
        }

        await history.FlushAsync().SoonAsync("write");
        Assert.Equal(55, (await Read(history, 0)).Events.Count);
        IReadOnlyList<RunEvent> stored = (await Read(await Open(0), 0)).Events;
        Assert.Equal([0, 10, 20, 30, 33, 40], stored.OfType<StepCommitted>().Select(step => step.Step));
        Assert.Equal([3, 13, 23, 33, 43], stored.OfType<Evaluated>().Select(score => score.Step));
    }

    [Fact]
    public async Task Old_steps_are_thinned_out_of_memory_and_nothing_else()
    {
        RunHistory history = await Memory();
        for (int step = 0; step < 30_000; step++)
            history.Add(step % 999 == 0 ? new WorkersAwaited(step) : Step(step));
        RunProgress all = await Read(history, 0);
        Assert.InRange(all.Events.Count, 10_000, 20_000);
        Assert.Equal(30_000, all.Next);
        Assert.Equal(31, all.Events.OfType<WorkersAwaited>().Count());
        Assert.Equal(
            Enumerable.Range(25_001, 899).Select(step => (long)step),
            all.Events.OfType<StepCommitted>().Select(step => step.Step).Where(step => step is > 25_000 and < 25_900));
        Assert.Equal([29_998L, 29_999], (await Read(history, 29_998)).Events.OfType<StepCommitted>().Select(step => step.Step));
    }

    [Fact]
    public async Task The_newest_picture_alone_has_its_pixels_in_memory()
    {
        RunHistory history = await Open(0);
        history.Add(Samples(1));
        history.Add(Step(2));
        history.Add(Samples(2));
        await history.FlushAsync().SoonAsync("write");
        foreach (RunHistory one in new[] { history, await Open(0) })
            Assert.Equal([0, 4], (await Read(one, 0)).Events.OfType<SamplesWritten>().Select(drawn => drawn.Pixels.Length));
        Assert.All(
            HistoryFile.Read(Path.Combine(_temp.Path, HistoryFile.Name)),
            entry => Assert.Equal(4, (entry.Event as SamplesWritten)?.Pixels.Length ?? 4));
    }

    [Fact]
    public async Task The_newest_event_of_a_kind_is_known_after_a_restart_too()
    {
        RunHistory history = await Open(0);
        Assert.Null(history.Last<Evaluated>());
        foreach (RunEvent happened in new RunEvent[] { Step(1), new Evaluated(1, 0, 3, 6, 1, 1), new Evaluated(2, 0, 3, 6, 1, 1),
            new WorkersAwaited(3) })
            history.Add(happened);
        await history.FlushAsync().SoonAsync("write");
        foreach (RunHistory one in new[] { history, await Open(0) })
            Assert.Equal((2, 1, null), (one.Last<Evaluated>()?.Step, one.Last<StepCommitted>()?.Step, one.Last<RunEnded>()));
    }

    [Fact]
    public async Task A_file_that_another_holds_is_told_and_written_when_it_is_free()
    {
        ConcurrentQueue<Exception> failures = [];
        string path = Path.Combine(_temp.Path, HistoryFile.Name);
        RunHistory history;
        using (new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            history = await RunHistory.OpenAsync(_temp.Path, 7, _clock, failures.Enqueue).SoonAsync("opened history");
            Assert.Contains(path, Assert.Single(failures).Message, StringComparison.Ordinal);
            history.Add(Step(1));
            await history.FlushAsync().SoonAsync("try to write");
            history.Add(new WorkersAwaited(2));
            await history.FlushAsync().SoonAsync("try to write");
            Assert.Equal(2, failures.Count);
        }

        await history.FlushAsync().SoonAsync("write");
        Assert.Equal([7, 8], HistoryFile.Read(path).Select(entry => entry.Position));
    }

    [Fact]
    public void Without_a_folder_all_happens_in_order_on_the_callers_context()
    {
        using var context = new OneThread();
        List<string> seen = [];
        context.Run(async () =>
        {
            RunHistory history = await Memory();
            Task first = See("first", history.ReadAsync(0, Minute, () => false));
            Task impatient = See("impatient", history.ReadAsync(0, Minute / 2, () => false));
            Task second = See("second", history.ReadAsync(0, Minute, () => false));
            _clock.Advance(Minute / 2);
            await impatient;
            history.Add(Step(1));
            history.Add(Step(2));
            Assert.Equal(["impatient 0 of 0"], seen);
            await first;
            await second;
            await See("late", history.ReadAsync(1, Minute, () => false));
            await See("over", history.ReadAsync(2, Minute, () => true));
            Task last = See("last", history.ReadAsync(2, Minute, () => false));
            _clock.Advance(Minute);
            await last;
            await history.FlushAsync();
        });
        Assert.Equal(["impatient 0 of 0", "first 2 of 2", "second 2 of 2", "late 1 of 2", "over 0 of 2", "last 0 of 2"], seen);

        async Task See(string who, Task<RunProgress> reading)
        {
            RunProgress progress = await reading;
            Assert.Equal(context.Thread, Environment.CurrentManagedThreadId);
            Assert.Equal(who == "over", progress.Over);
            seen.Add($"{who} {progress.Events.Count} of {progress.Next}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_opened.Select(history => history.FlushAsync())).SoonAsync("last write");
        _temp.Dispose();
    }

    private static Task<RunProgress> Read(RunHistory history, long from) => history.ReadAsync(from, TimeSpan.Zero, () => false);

    private Task<RunHistory> Memory() => RunHistory.OpenAsync(null, 0, _clock, Unexpected);

    private async Task<RunHistory> Open(long firstPosition)
    {
        _opened.Add(await RunHistory.OpenAsync(_temp.Path, firstPosition, _clock, Unexpected).SoonAsync("opened history"));
        return _opened[^1];
    }

    private static void Unexpected(Exception fault) => Assert.Fail($"the history failed: {fault}");

    /// <summary>Runs posted work on the calling thread, and fails when none is left before the end.</summary>
    private sealed class OneThread : SynchronizationContext, IDisposable
    {
        private readonly Queue<Action> _posted = new();
        private readonly SynchronizationContext? _before = Current;

        public int Thread { get; } = Environment.CurrentManagedThreadId;

        public override void Post(SendOrPostCallback d, object? state)
        {
            Assert.Equal(Thread, Environment.CurrentManagedThreadId);
            _posted.Enqueue(() => d(state));
        }

        public void Run(Func<Task> work)
        {
            SetSynchronizationContext(this);
            Task all = work();
            while (_posted.TryDequeue(out Action? next))
                next();
            Assert.True(all.IsCompleted, "all waits for something outside of its context");
            all.GetAwaiter().GetResult();
        }

        public void Dispose() => SetSynchronizationContext(_before);
    }
}
