using System.Net.Sockets;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client;

/// <summary>Follows a run from its start to its last event, and hands on the user's wish to stop.</summary>
/// <param name="lost">Fails when nobody is left to answer, so that waiting is in vain.</param>
public sealed class RunWatch(ITrainingRunGrain run, RunStatus status, IRunDisplay display, Task lost, TimeProvider time)
{
    /// <summary>A coordinator that comes back on another silo needs seconds; what is silent for longer is lost.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(250);

    /// <param name="stop">Cancelled when the user wants the run to end after the step in progress.</param>
    /// <param name="abort">Cancelled when the user does not want to wait for that.</param>
    public async Task<RunEnded> FollowAsync(RunSpec spec, CancellationToken stop, CancellationToken abort)
    {
        // At once, even while the cluster does not answer.
        using var notice = stop.Register(() => display.Note("Finishing the step and saving... press Ctrl+C again to stop at once."));
        await UnlessLostAsync(run.StartAsync(spec)).WaitAsync(abort);
        var (next, asked) = (0, false);
        var heardAt = time.GetTimestamp();
        while (true)
        {
            try
            {
                if (stop.IsCancellationRequested && !asked)
                {
                    asked = true;
                    await UnlessLostAsync(run.StopAsync()).WaitAsync(abort);
                }

                var reading = run.ReadAsync(next);
                await UnlessLostAsync(reading).WaitAsync(abort);
                var progress = await reading;
                if (progress.Next < next)
                    throw new ClusterFaultException("The coordinator of the run was lost with its silo; continue from the newest checkpoint with --load-params.");
                (next, heardAt) = (progress.Next, time.GetTimestamp());
                foreach (var e in progress.Events)
                {
                    status.Add(e);
                    display.Show(e);
                    if (e is RunEnded ended)
                        return ended;
                }
            }
            catch (Exception e) when (e is OrleansException or TimeoutException or SocketException)
            {
                if (time.GetElapsedTime(heardAt) > Patience)
                    throw new ClusterFaultException($"The cluster has not answered for {Patience.TotalSeconds} s: {e.Message}", e);
                await Task.Delay(RetryDelay, time, abort);
            }

            display.Tick();
        }
    }

    private async Task UnlessLostAsync(Task call) => await await Task.WhenAny(call, lost);
}
