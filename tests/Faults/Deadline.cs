namespace PixelCnnCluster.Faults;

/// <summary>Waits that end with a message.</summary>
public static class Deadline
{
    /// <summary>Longer than anything takes, also on a machine that is busy with other work.</summary>
    public static readonly TimeSpan Generous = TimeSpan.FromMinutes(3);

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    /// <summary>Looks again and again, at what tells nobody when it changes.</summary>
    /// <param name="look">Null until it is there.</param>
    /// <exception cref="TimeoutException">It did not come in time; the message says what was awaited.</exception>
    public static async Task<T> UntilAsync<T>(Func<Task<T?>> look, string awaited)
        where T : class
    {
        using var deadline = new CancellationTokenSource(Generous);
        while (true)
        {
            if (await look() is { } found)
                return found;
            if (deadline.IsCancellationRequested)
                throw Late(awaited, Generous);
            await Task.Delay(Poll);
        }
    }

    /// <param name="holds">False until it does.</param>
    /// <inheritdoc cref="UntilAsync{T}"/>
    public static Task UntilAsync(Func<Task<bool>> holds, string awaited) =>
        UntilAsync(async () => await holds() ? awaited : null, awaited);

    /// <summary>Asks a grain until it answers: one whose silo was lost comes back on another, when the cluster has noticed.</summary>
    public static Task<T> AnswerAsync<T>(Func<Task<T>> ask, string awaited)
        where T : class
    {
        return UntilAsync(TryAsync, awaited);

        async Task<T?> TryAsync()
        {
            try
            {
                return await ask();
            }
            catch (Exception fault) when (fault is OrleansException or TimeoutException)
            {
                return null;
            }
        }
    }

    /// <exception cref="TimeoutException">It did not come in time; the message says what was awaited.</exception>
    public static async Task<T> WithinAsync<T>(this Task<T> task, TimeSpan timeout, string awaited)
    {
        try
        {
            return await task.WaitAsync(timeout);
        }
        catch (TimeoutException late) when (!task.IsCompleted)
        {
            throw Late(awaited, timeout, late);
        }
    }

    /// <inheritdoc cref="WithinAsync{T}"/>
    public static Task WithinAsync(this Task task, TimeSpan timeout, string awaited)
    {
        return AnsweredAsync().WithinAsync(timeout, awaited);

        async Task<bool> AnsweredAsync()
        {
            await task;
            return true;
        }
    }

    private static TimeoutException Late(string awaited, TimeSpan timeout, Exception? inner = null) =>
        new($"{awaited} did not come within {timeout.TotalSeconds:F0} s.", inner);
}
