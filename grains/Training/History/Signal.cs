namespace PixelCnnCluster.Training.History;

/// <summary>Wakes those who wait for something to change.</summary>
public sealed class Signal(TimeProvider time)
{
    /// <summary>Protects itself: who waits and who raises may be on different threads.</summary>
    private readonly List<TaskCompletionSource> _waiting = [];

    /// <summary>Wakes all who wait now.</summary>
    public void Raise()
    {
        TaskCompletionSource[] woken;
        lock (_waiting)
        {
            woken = [.. _waiting];
            _waiting.Clear();
        }

        foreach (TaskCompletionSource one in woken)
            one.TrySetResult();
    }

    /// <summary>Completes with the next <see cref="Raise"/>, or when a time has passed.</summary>
    public async Task WaitAsync(TimeSpan timeout)
    {
        // Awaited itself and by one caller alone: a combination of tasks would go on somewhere on the thread pool first.
        var waiting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_waiting)
            _waiting.Add(waiting);
        using (time.CreateTimer(_ => waiting.TrySetResult(), null, timeout, Timeout.InfiniteTimeSpan))
            await waiting.Task;
        lock (_waiting)
            _waiting.Remove(waiting);
    }
}
