namespace PixelCnnCluster.Exchange;

/// <summary>
/// What a step's exchange has for one peer, in order. It is kept until the next step begins, so that a new connection can bring all of it
/// again: what the old one had taken on may be lost, and what comes twice counts once.
/// </summary>
public sealed class SendQueue
{
    /// <summary>Protects all fields: the exchange adds chunks, a connection takes them.</summary>
    private readonly Lock _gate = new();

    private readonly List<(Chunk Chunk, Func<bool> IsWanted)> _chunks = [];
    private int _next;
    private TaskCompletionSource? _news;

    /// <summary>Begins again with the first chunk.</summary>
    public void Rewind()
    {
        lock (_gate)
            _next = 0;
    }

    /// <summary>Takes the next chunk, if there is one.</summary>
    public bool TryNext(out Chunk chunk)
    {
        lock (_gate)
        {
            while (_next < _chunks.Count)
            {
                (chunk, Func<bool> isWanted) = _chunks[_next++];
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
        lock (_gate)
        {
            if (_next < _chunks.Count)
                return;
            coming = _news = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        await using CancellationTokenRegistration cancelling = cancel.Register(() => coming.TrySetCanceled(cancel));
        await coming.Task;
    }

    internal void Clear()
    {
        lock (_gate)
        {
            _chunks.Clear();
            _next = 0;
        }
    }

    /// <param name="isWanted">Asked before the chunk is sent.</param>
    /// <param name="first">Before those that wait: what has just been summed is still in the processor's cache.</param>
    internal void Add(IEnumerable<Chunk> more, Func<Chunk, bool> isWanted, bool first)
    {
        lock (_gate)
        {
            _chunks.InsertRange(first ? _next : _chunks.Count, more.Select(chunk => (chunk, (Func<bool>)(() => isWanted(chunk)))));
            _news?.TrySetResult();
            _news = null;
        }
    }
}
