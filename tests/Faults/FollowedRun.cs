using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Faults;

/// <summary>A run whose events are read as they come, whatever becomes of the silo that is asked.</summary>
public sealed class FollowedRun(string name, RunSpec spec, ITrainingRunGrain run, long position)
{
    /// <summary>No event for so long is a hang.</summary>
    private static readonly TimeSpan IdleTimeout = Deadline.Generous;

    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100);

    private readonly List<RunEvent> _events = [];
    private bool _over;

    public string Name => name;

    public RunSpec Spec => spec;

    /// <summary>All that were read.</summary>
    public IReadOnlyList<RunEvent> Events => _events;

    /// <summary>The last step of them; 0 before the first.</summary>
    public long NewestStep => _events.OfType<StepCommitted>().LastOrDefault()?.Step ?? 0;

    /// <summary>Reads up to the first event that fits, beginning after those that were read.</summary>
    /// <param name="awaited">For the message if it does not come.</param>
    public async Task<T> NextAsync<T>(Func<T, bool> fits, string awaited)
        where T : RunEvent
    {
        using var deadline = new CancellationTokenSource(IdleTimeout);
        while (true)
        {
            int known = _events.Count;
            await ReadAsync();
            if (_events.Skip(known).OfType<T>().FirstOrDefault(fits) is { } found)
                return found;
            if (_events.Count > known)
                deadline.CancelAfter(IdleTimeout);
            if (_over)
                throw new InvalidOperationException($"{name} ended without {awaited}: {_events[^1]}");
            if (deadline.IsCancellationRequested)
                throw new TimeoutException(
                    $"{name} was silent for {IdleTimeout.TotalSeconds} s; {awaited} was awaited. The last it said: " +
                    $"{string.Join(" | ", _events.TakeLast(5))}");
        }
    }

    public Task<StepCommitted> StepAsync(long step) => NextAsync<StepCommitted>(committed => committed.Step >= step, $"step {step}");

    /// <summary>Waits for the last event, and until the cluster counts the run as ended, which may be a moment later.</summary>
    public async Task<RunEnded> EndAsync()
    {
        RunEnded end = _events is [.., RunEnded known] ? known : await NextAsync<RunEnded>(_ => true, "its end");
        using var deadline = new CancellationTokenSource(IdleTimeout);
        while (!_over)
        {
            if (deadline.IsCancellationRequested)
                throw new TimeoutException($"{name} told its end, but did not count as ended within {IdleTimeout.TotalSeconds} s.");
            await ReadAsync();
        }

        return end;
    }

    /// <summary>Tells the run to stop and waits for its end.</summary>
    public async Task<RunEnded> StopAsync()
    {
        await Deadline.AnswerAsync(
            async () =>
            {
                await run.StopAsync();
                return name;
            },
            $"an answer of {name} to the wish that it stops");
        return await EndAsync();
    }

    private async Task ReadAsync()
    {
        try
        {
            RunProgress progress = await run.ReadAsync(position);
            _events.AddRange(progress.Events);
            (position, _over) = (progress.Next, progress.Over);
        }
        catch (Exception fault) when (fault is not UserErrorException)
        {
            await Task.Delay(RetryDelay);
        }
    }
}
