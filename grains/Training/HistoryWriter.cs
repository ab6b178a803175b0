namespace PixelCnnCluster.Training;

/// <summary>
/// Writes a run's events to its folder on the thread pool, so that whoever adds them never waits for a disk. What could not be
/// written is tried again with the next event; the failure is told once until a write succeeds again.
/// </summary>
internal sealed class HistoryWriter(string folder, TimeProvider time, Action<Exception> failed)
{
    /// <summary>Of one write, so that a try on a full disk stays cheap however much waits.</summary>
    private const int MostEntries = 1000;

    private readonly HistoryFile file = new(folder);
    private readonly TensorBoardLog board = new(folder, time);
    private readonly Lock gate = new();
    private readonly List<HistoryEntry> unwritten = [];
    private Task last = Task.CompletedTask;
    private bool fileFails, boardFails;

    public void Add(HistoryEntry entry)
    {
        lock (gate)
            unwritten.Add(entry);
        FlushAsync();
    }

    /// <summary>Completes when all that was added before is written, or a try to write it has failed.</summary>
    public Task FlushAsync()
    {
        lock (gate)
            return last = last.ContinueWith(_ => Write(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    private void Write()
    {
        while (Next() is { Length: > 0 } entries && Try(() => file.Append(entries), ref fileFails))
        {
            lock (gate)
                unwritten.RemoveRange(0, entries.Length);

            // Not tried again: the history would have these entries twice.
            Try(() => board.Write(entries), ref boardFails);
        }
    }

    private HistoryEntry[] Next()
    {
        lock (gate)
            return [.. unwritten.Take(MostEntries)];
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
