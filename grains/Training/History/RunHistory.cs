using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Training.History;

/// <summary>
/// A run's events in order, kept in memory and, where the run has a folder, in the folder's history and TensorBoard files. Of very
/// many steps the older ones are thinned out of memory, so that its size is bounded; positions stay valid.
/// Used from one grain's turns only.
/// </summary>
public sealed class RunHistory
{
    private const int Most = 20_000;

    /// <summary>Events with which they are thinned next, well above what the last time has left.</summary>
    private int _most = Most;

    /// <summary>Least time between two steps in the files, skipped ones apart.</summary>
    private static readonly TimeSpan BetweenSteps = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _time;
    private readonly HistoryWriter? _writer;
    private readonly List<HistoryEntry> _events = [];
    private readonly Signal _added;
    private long _next;
    private long? _lastStepWritten;

    private RunHistory(TimeProvider time, HistoryWriter? writer) => (_time, _writer, _added) = (time, writer, new(time));

    /// <summary>Goes on from what the folder's file holds.</summary>
    /// <param name="folder">The run's folder; null keeps the events in memory alone.</param>
    /// <param name="firstPosition">Least position of new events; above all that readers may have seen of events that the file
    /// lacks.</param>
    /// <param name="failed">
    /// Told when the file cannot be read, and when the files cannot be written, once until they can be again. Called from any
    /// thread; must not throw.
    /// </param>
    public static async Task<RunHistory> OpenAsync(string? folder, long firstPosition, TimeProvider time, Action<Exception> failed)
    {
        var history = new RunHistory(time, folder is null ? null : new(folder, time, failed));
        if (folder is not null)
            await Task.Run(() => history.Load(folder, failed));
        history._next = Math.Max(history._next, firstPosition);
        return history;
    }

    /// <summary>Told of every event that is added.</summary>
    public Action<RunEvent> Added { get; set; } = _ => { };

    public void Add(RunEvent happened)
    {
        var entry = new HistoryEntry(_next, happened);
        Keep(entry);
        if (_writer is not null && IsForFiles(happened))
            _writer.Add(entry);
        _added.Raise();
        Added(happened);
    }

    /// <summary>Events from a position on; waits for the first of them up to <paramref name="timeout"/>.</summary>
    /// <param name="over">Whether the run has ended; then there is nothing to wait for.</param>
    public async Task<RunProgress> ReadAsync(long from, TimeSpan timeout, Func<bool> over)
    {
        if (from >= _next && timeout > TimeSpan.Zero && !over())
            await _added.WaitAsync(timeout);
        int first = _events.FindLastIndex(entry => entry.Position < from) + 1;
        return new([.. _events.Skip(first).Select(entry => entry.Event)], _next, over());
    }

    /// <summary>The newest event of a kind; null if there is none.</summary>
    public T? Last<T>()
        where T : RunEvent => _events.FindLast(entry => entry.Event is T).Event as T;

    /// <summary>Events of a kind, the oldest first. Of very many steps some are missing.</summary>
    public IEnumerable<T> All<T>()
        where T : RunEvent => _events.Select(entry => entry.Event).OfType<T>();

    /// <summary>Position of the next event.</summary>
    public long Next => _next;

    /// <summary>Completes when the files hold the events so far, or a try to write them has failed.</summary>
    public Task FlushAsync() => _writer?.FlushAsync() ?? Task.CompletedTask;

    private void Load(string folder, Action<Exception> failed)
    {
        try
        {
            foreach (HistoryEntry entry in HistoryFile.Read(Path.Combine(folder, HistoryFile.Name)))
            {
                // A lower position after a higher one is from a writer that had been replaced already.
                if (entry.Position >= _next)
                    Keep(entry);
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            failed(fault);
        }
    }

    private void Keep(HistoryEntry entry)
    {
        if (entry.Event is SamplesWritten)
            FreePixels();
        _events.Add(entry);
        _next = entry.Position + 1;
        if (_events.Count > _most)
        {
            Thin();
            _most = Math.Max(Most, _events.Count / 4 * 5);
        }
    }

    /// <summary>The newest picture alone keeps its images.</summary>
    private void FreePixels()
    {
        int last = _events.FindLastIndex(entry => entry.Event is SamplesWritten);
        if (last >= 0)
            _events[last] = _events[last] with { Event = (SamplesWritten)_events[last].Event with { Pixels = [] } };
    }

    /// <summary>Drops every second step of the older half.</summary>
    private void Thin()
    {
        int seen = 0;
        long half = _events[_events.Count / 2].Position;
        _events.RemoveAll(entry => entry.Position <= half && entry.Event is StepCommitted && seen++ % 2 == 1);
    }

    private bool IsForFiles(RunEvent happened)
    {
        if (happened is not StepCommitted { Skipped: false })
            return true;
        long now = _time.GetTimestamp();
        if (_lastStepWritten is { } before && _time.GetElapsedTime(before, now) < BetweenSteps)
            return false;
        _lastStepWritten = now;
        return true;
    }
}
