using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client;

/// <summary>Follows a run's events to the last, and hands on the user's wish to stop.</summary>
/// <param name="lost">Fails when nobody is left to answer, so that waiting is in vain.</param>
public sealed class RunWatch(ITrainingRunGrain run, RunStatus status, IRunDisplay display, Task lost, TimeProvider time)
{
    private readonly ClusterTimeouts _timeouts = new(lost, time);

    /// <summary>Returns when the run is over.</summary>
    /// <param name="from">Position of the first event to show.</param>
    /// <param name="stop">Cancelled when the user wants the run to end after the step in progress.</param>
    /// <param name="leave">Cancelled when the user does not want to wait for the run.</param>
    /// <exception cref="UserErrorException">There is no such run.</exception>
    /// <exception cref="ClusterFaultException">The cluster is lost.</exception>
    public async Task<RunEnded> FollowAsync(long from, CancellationToken stop, CancellationToken leave)
    {
        // This takes effect at once, even while the cluster does not answer.
        using CancellationTokenRegistration notice = stop.Register(
            () => display.Note("Finishing the step and saving... press Ctrl+C again to stop at once."));
        (long next, bool asked) = (from, false);
        _timeouts.Renew();
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

                RunProgress progress = await _timeouts.UnlessLostAsync(run.ReadAsync(next), leave);
                _timeouts.Renew();
                next = Math.Max(next, progress.Next);
                foreach (RunEvent e in progress.Events)
                {
                    // An end that something follows was not the last: the run was resumed.
                    if (ended is not null)
                        display.Show(ended);
                    ended = e as RunEnded;
                    status.Add(e);
                    if (ended is null)
                        display.Show(e);
                    if (e is RunStarted started && started.Spec.Schedule.Warning(started.TotalSteps) is { } warning)
                        display.Note(warning);
                }

                if (progress.Over && ended is not null)
                {
                    display.End(ended);
                    return ended;
                }

                if (progress is { Over: true, Events: [] })
                    throw new ClusterFaultException("The run is over, but the cluster does not know how it ended.");
            }
            catch (Exception e) when (!leave.IsCancellationRequested && ClusterTimeouts.MayPass(e))
            {
                await _timeouts.BearAsync(e, leave);
            }

            display.Tick();
        }
    }

    private async Task AskToStopAsync(CancellationToken leave)
    {
        try
        {
            await _timeouts.UnlessLostAsync(run.StopAsync(), leave);
        }
        catch (UserErrorException)
        {
            // It has just ended by itself.
        }
    }
}
