using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors;

/// <summary>
/// A run's events in order. Of very many steps the older ones are thinned out, so that its size is bounded; positions stay valid.
/// Used from one grain's turns only.
/// </summary>
public sealed class RunHistory
{
    private const int Most = 20_000;

    private readonly List<(int Position, RunEvent Event)> events = [];
    private int next;
    private TaskCompletionSource more = New();

    public void Add(RunEvent happened)
    {
        events.Add((next++, happened));
        if (events.Count > Most)
            Thin();
        more.SetResult();
        more = New();
    }

    /// <summary>Events from a position on; waits for the first of them up to <paramref name="patience"/>.</summary>
    public async Task<RunProgress> ReadAsync(int from, TimeSpan patience)
    {
        if (from >= next)
            await Task.WhenAny(more.Task, Task.Delay(patience));
        int first = events.FindIndex(entry => entry.Position >= from);
        return new(first < 0 ? [] : [.. events.Skip(first).Select(entry => entry.Event)], next);
    }

    /// <summary>Drops every second step of the older half.</summary>
    private void Thin()
    {
        int seen = 0, half = events[events.Count / 2].Position;
        events.RemoveAll(entry => entry.Position <= half && entry.Event is StepCommitted && seen++ % 2 == 1);
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
