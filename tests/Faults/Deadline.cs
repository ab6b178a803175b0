namespace PixelCnnCluster.Faults;

/// <summary>Waits that end with a message.</summary>
public static class Deadline
{
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
