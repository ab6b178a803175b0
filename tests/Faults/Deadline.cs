namespace PixelCnnCluster.Faults;

/// <summary>Waits that end with a message.</summary>
public static class Deadline
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    /// <summary>Looks again and again, at what tells nobody when it changes.</summary>
    /// <param name="look">Null until it is there.</param>
    /// <exception cref="TimeoutException">It did not come in time; the message says what was awaited.</exception>
    public static async Task<T> UntilAsync<T>(Func<Task<T?>> look, TimeSpan patience, string awaited)
        where T : class
    {
        using var deadline = new CancellationTokenSource(patience);
        while (true)
        {
            if (await look() is { } found)
                return found;
            if (deadline.IsCancellationRequested)
                throw new TimeoutException($"{awaited} did not come within {patience.TotalSeconds:F0} s.");
            await Task.Delay(Poll);
        }
    }

    /// <param name="holds">False until it does.</param>
    /// <inheritdoc cref="UntilAsync{T}"/>
    public static Task UntilAsync(Func<Task<bool>> holds, TimeSpan patience, string awaited) =>
        UntilAsync(async () => await holds() ? awaited : null, patience, awaited);

    /// <exception cref="TimeoutException">It did not come in time; the message says what was awaited.</exception>
    public static async Task<T> WithinAsync<T>(this Task<T> task, TimeSpan patience, string awaited)
    {
        try
        {
            return await task.WaitAsync(patience);
        }
        catch (TimeoutException late) when (!task.IsCompleted)
        {
            throw new TimeoutException($"{awaited} did not come within {patience.TotalSeconds:F0} s.", late);
        }
    }

    /// <inheritdoc cref="WithinAsync{T}"/>
    public static Task WithinAsync(this Task task, TimeSpan patience, string awaited)
    {
        return AnsweredAsync().WithinAsync(patience, awaited);

        async Task<bool> AnsweredAsync()
        {
            await task;
            return true;
        }
    }
}
