using Microsoft.Extensions.Logging;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>
/// A coordinator's right to command: it may order a step while its newest write to the run's record is not older than
/// <see cref="Duration"/>. One that takes over without reaching any worker of the generation before waits that long, so that never two
/// train.
/// </summary>
internal sealed partial class RunLease(IRunStore store, TimeProvider time, ILogger log)
{
    public static readonly TimeSpan Duration = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(250);

    private long? _confirmed;
    private Task _newest = Task.CompletedTask;

    public RunRecord Record => store.Record;

    public bool IsLost { get; private set; }

    public bool IsHeld => _confirmed is { } at && time.GetElapsedTime(at) <= Duration;

    /// <summary>
    /// Changes the record, after the changes asked for before; a store that does not answer is tried again until it does.
    /// </summary>
    /// <exception cref="LeaseLostException">Another coordinator has taken over.</exception>
    public Task WriteAsync(Func<RunRecord, RunRecord> change) => _newest = WriteAfterAsync(_newest, change);

    /// <summary>Completes as soon as the lease is held.</summary>
    /// <exception cref="LeaseLostException">Another coordinator has taken over.</exception>
    public async Task ConfirmAsync()
    {
        while (!IsHeld)
        {
            ThrowIfLost();
            await Task.Delay(RetryDelay, time);
        }

        ThrowIfLost();
    }

    private async Task WriteAfterAsync(Task before, Func<RunRecord, RunRecord> change)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        while (true)
        {
            ThrowIfLost();
            long begun = time.GetTimestamp();
            try
            {
                await store.WriteAsync(change(Record));
                _confirmed = begun;
                return;
            }
            catch (LeaseLostException)
            {
                IsLost = true;
                throw;
            }
            catch (Exception fault)
            {
                LogNotStored(log, fault);
                await Task.Delay(RetryDelay, time);
            }
        }
    }

    private void ThrowIfLost()
    {
        if (IsLost)
            throw new LeaseLostException("Another coordinator has taken the run over.");
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The run's record could not be stored; trying again")]
    private static partial void LogNotStored(ILogger log, Exception fault);
}
