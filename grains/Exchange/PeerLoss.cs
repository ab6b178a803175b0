namespace PixelCnnCluster.Exchange;

/// <summary>Lets a wait for the exchange of a generation end when one of its workers is gone, for then no step can be finished.</summary>
public sealed class PeerLoss
{
    /// <summary>Protects both fields.</summary>
    private readonly Lock _gate = new();

    private PeerLostException? _loss;
    private TaskCompletionSource? _waiting;

    public void Tell(string peer)
    {
        lock (_gate)
        {
            _loss ??= new(peer);
            _waiting?.TrySetException(_loss);
        }
    }

    /// <summary>Waits for one thing at a time. What a lost peer has sent may be all that was missing.</summary>
    /// <exception cref="PeerLostException">A worker is gone, and it has not come.</exception>
    public async Task UnlessAsync(Task awaited)
    {
        if (awaited.IsCompletedSuccessfully)
            return;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            _waiting = done;
            if (_loss is not null)
                done.SetException(_loss);
        }

        _ = PassAsync();
        await done.Task;

        // Awaited itself: a combination of tasks would go on somewhere on the thread pool first.
        async Task PassAsync()
        {
            try
            {
                await awaited;
                done.TrySetResult();
            }
            catch (Exception fault)
            {
                done.TrySetException(fault);
            }
        }
    }
}
