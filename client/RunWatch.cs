using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client;

/// <summary>Follows a run's events to the last, and hands on the user's wish to stop.</summary>
/// <param name="lost">Fails when nobody is left to answer, so that waiting is in vain.</param>
public sealed class RunWatch(ITrainingRunGrain run, RunStatus status, IRunDisplay display, Task lost, TimeProvider time)
{
    /// <summary>A coordinator that comes back on another silo needs seconds; what is silent for longer is lost.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(250);

    /// <summary>Returns when the run is over.</summary>
    /// <param name="from">Position of the first event to show.</param>
    /// <param name="stop">Cancelled when the user wants the run to end after the step in progress.</param>
    /// <param name="leave">Cancelled when the user does not want to wait for the run.</param>
    /// <exception cref="UserErrorException">There is no such run.</exception>
    /// <exception cref="ClusterFaultException">The cluster is lost.</exception>
    public async Task<RunEnded> FollowAsync(long from, CancellationToken stop, CancellationToken leave)
    {
        // At once, even while the cluster does not answer.
        using var notice = stop.Register(() => display.Note("Finishing the step and saving... press Ctrl+C again to stop at once."));
        var (next, asked) = (from, false);
        var heardAt = time.GetTimestamp();
        RunEnded? ended = null;
        while (true)
        {
            try
            {
                if (stop.IsCancellationRequested && !asked)
                {
                    await AskToStopAsync(leave);
                    asked = true;
                }

                var reading = run.ReadAsync(next);
                await UnlessLostAsync(reading, leave);
                var progress = await reading;
                (next, heardAt) = (Math.Max(next, progress.Next), time.GetTimestamp());
                foreach (var e in progress.Events)
                {
                    // An end that something follows was not the last: the run was resumed.
                    if (ended is not null)
                        display.Show(ended);
                    ended = e as RunEnded;
                    status.Add(e);
                    if (ended is null)
                        display.Show(e);
                }

                if (progress.Over && ended is not null)
                {
                    display.End(ended);
                    return ended;
                }

                if (progress is { Over: true, Events: [] })
                    throw new ClusterFaultException("The run is over, but the cluster does not know how it ended.");
            }
            catch (Exception e) when (!leave.IsCancellationRequested && e is not (UserErrorException or ClusterFaultException))
            {
                // Whatever it is, a coordinator that comes back on another silo may mend it.
                if (time.GetElapsedTime(heardAt) > Patience)
                    throw new ClusterFaultException($"The cluster has not answered for {Patience.TotalSeconds} s: {e.Message}", e);
                await Task.Delay(RetryDelay, time, leave);
            }

            display.Tick();
        }
    }

    private async Task AskToStopAsync(CancellationToken leave)
    {
        try
        {
            await UnlessLostAsync(run.StopAsync(), leave);
        }
        catch (UserErrorException)
        {
            // It has just ended by itself.
        }
    }

    private async Task UnlessLostAsync(Task call, CancellationToken leave) => await await Task.WhenAny(call, lost).WaitAsync(leave);
}
