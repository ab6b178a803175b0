namespace PixelCnnCluster.Actors;

/// <summary>
/// Work that many ask for: one of it is in flight, and all who ask meanwhile share the next, which begins after they asked. Used from one scheduler's
/// turns only.
/// </summary>
internal sealed class Coalesced(Func<Task> work)
{
    private Task running = Task.CompletedTask;
    private Task? next;

    public Task RunAsync() => next ?? (running.IsCompleted ? running = work() : next = AfterAsync(running));

    private async Task AfterAsync(Task before)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        (running, next) = (next!, null);
        await work();
    }
}
