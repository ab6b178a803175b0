namespace PixelCnnCluster.Actors.Cluster;

/// <summary>
/// Work that many ask for: one of it is in flight, and all who ask meanwhile share the next, which begins after they asked. Used from one
/// scheduler's turns only.
/// </summary>
internal sealed class Coalesced(Func<Task> work)
{
    private Task _running = Task.CompletedTask;
    private Task? _next;

    public Task RunAsync() => _next ?? (_running.IsCompleted ? _running = work() : _next = AfterAsync(_running));

    private async Task AfterAsync(Task before)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        (_running, _next) = (_next!, null);
        await work();
    }
}
