namespace PixelCnnCluster.Training;

/// <summary>
/// What a step's exchange has for one peer, in order. It is kept until the next step begins, so that a new connection can bring all of it again: what the old one
/// had taken on may be lost, and what comes twice counts once.
/// </summary>
public sealed class SendQueue
{
    private readonly Lock gate = new();
    private readonly List<(Chunk Chunk, Func<bool> IsWanted)> chunks = [];
    private int next;
    private TaskCompletionSource? news;

    /// <summary>Begins again with the first chunk.</summary>
    public void Rewind()
    {
        lock (gate)
            next = 0;
    }

    /// <summary>Takes the next chunk, if there is one.</summary>
    public bool TryNext(out Chunk chunk)
    {
        lock (gate)
        {
            while (next < chunks.Count)
            {
                (chunk, Func<bool> isWanted) = chunks[next++];
                if (isWanted())
                    return true;
            }
        }

        chunk = default;
        return false;
    }

    /// <summary>Completes when there is a next chunk. For one who waits at a time.</summary>
    public async Task NewsAsync(CancellationToken cancel)
    {
        TaskCompletionSource coming;
        lock (gate)
        {
            if (next < chunks.Count)
                return;
            coming = news = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        await using CancellationTokenRegistration cancelling = cancel.Register(() => coming.TrySetCanceled(cancel));
        await coming.Task;
    }

    internal void Clear()
    {
        lock (gate)
        {
            chunks.Clear();
            next = 0;
        }
    }

    /// <param name="isWanted">Asked before the chunk is sent.</param>
    /// <param name="first">Before those that wait: what has just been summed is still in the processor's cache.</param>
    internal void Add(IEnumerable<Chunk> more, Func<Chunk, bool> isWanted, bool first)
    {
        lock (gate)
        {
            chunks.InsertRange(first ? next : chunks.Count, more.Select(chunk => (chunk, (Func<bool>)(() => isWanted(chunk)))));
            news?.TrySetResult();
            news = null;
        }
    }
}
