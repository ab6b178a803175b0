using System.Collections.Concurrent;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Cluster;

/// <summary>
/// What a grain does with a folder that may lie on a server which does not answer: a thread waits for it then, and not the grain. One
/// thread for each folder, however often somebody asks.
/// </summary>
internal static class FolderWork
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    /// <summary>What did not end in time, by folder.</summary>
    private static readonly ConcurrentDictionary<string, Task> Hanging = new();

    /// <exception cref="UserErrorException">The folder does not answer.</exception>
    public static Task<T> DoAsync<T>(string folder, Func<T> work, TimeProvider time)
    {
        if (Hanging.TryGetValue(folder, out Task? before))
        {
            if (!before.IsCompleted)
                return Task.FromException<T>(Mistake(folder));
            Hanging.TryRemove(new(folder, before));
        }

        return AwaitAsync(folder, Task.Run(work), time);
    }

    /// <inheritdoc cref="DoAsync{T}"/>
    public static Task DoAsync(string folder, Action work, TimeProvider time) => DoAsync(
        folder,
        () =>
        {
            work();
            return true;
        },
        time);

    /// <summary>Waits for work that may be waited for again.</summary>
    /// <exception cref="UserErrorException">The folder does not answer.</exception>
    public static async Task<T> AwaitAsync<T>(string folder, Task<T> work, TimeProvider time)
    {
        try
        {
            return await work.WaitAsync(Timeout, time);
        }
        catch (TimeoutException)
        {
            Hanging.TryAdd(folder, work);
            throw Mistake(folder);
        }
    }

    private static UserErrorException Mistake(string folder) =>
        new($"{folder} does not answer within {Timeout.TotalSeconds} s; see that the silos' volume is there, or name another folder.");
}
