namespace PixelCnnCluster.Training.History;

/// <summary>
/// Writes a run's events to its folder on the thread pool, so that whoever adds them never waits for a disk. What could not be
/// written is tried again with the next event; the failure is told once until a write succeeds again.
/// </summary>
internal sealed class HistoryWriter(string folder, TimeProvider time, Action<Exception> failed)
{
    /// <summary>Of one write, so that a try on a full disk stays cheap however much waits.</summary>
    private const int MostEntries = 1000;

    private readonly HistoryFile _file = new(folder);
    private readonly TensorBoardLog _board = new(folder, time);

    /// <summary>Protects <see cref="_unwritten"/> and <see cref="_last"/>. Files are written outside it.</summary>
    private readonly Lock _gate = new();

    private readonly List<HistoryEntry> _unwritten = [];
    private Task _last = Task.CompletedTask;
    private bool _fileFails, _boardFails;

    public void Add(HistoryEntry entry)
    {
        lock (_gate)
            _unwritten.Add(entry);
        FlushAsync();
    }

    /// <summary>Completes when all that was added before is written, or a try to write it has failed.</summary>
    public Task FlushAsync()
    {
        lock (_gate)
            return _last = _last.ContinueWith(_ => Write(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    private void Write()
    {
        while (Next() is { Length: > 0 } entries && Try(() => _file.Append(entries), ref _fileFails))
        {
            lock (_gate)
                _unwritten.RemoveRange(0, entries.Length);

            // Not tried again: the history would have these entries twice.
            Try(() => _board.Write(entries), ref _boardFails);
        }
    }

    private HistoryEntry[] Next()
    {
        lock (_gate)
            return [.. _unwritten.Take(MostEntries)];
    }

    private bool Try(Action write, ref bool failing)
    {
        try
        {
            write();
            return !(failing = false);
        }
        catch (Exception fault)
        {
            if (!failing)
                failed(fault);
            return !(failing = true);
        }
    }
}
