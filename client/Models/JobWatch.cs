using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Models;

/// <summary>Has a cluster do a job and follows its events; a job that was lost with its silo is begun again and tells the same.</summary>
/// <param name="lost">Fails when nobody is left to answer, so that waiting is in vain.</param>
public sealed class JobWatch(IJobGrain grain, Job job, Action<JobEvent> show, Task lost, TimeProvider time)
{
    private readonly ClusterTimeouts _timeouts = new(lost, time);

    /// <summary>Returns when the job is complete.</summary>
    /// <exception cref="UserErrorException">The job found a mistake of the user's.</exception>
    /// <exception cref="ClusterFaultException">The job failed, or the cluster is lost.</exception>
    public async Task FollowAsync(CancellationToken stop)
    {
        try
        {
            await ReadAsync(stop);
        }
        finally
        {
            grain.EndAsync().Ignore();
        }
    }

    private async Task ReadAsync(CancellationToken stop)
    {
        for (int next = 0; ;)
        {
            try
            {
                if (await _timeouts.UnlessLostAsync(grain.ReadAsync(next), stop) is not { } progress)
                {
                    next = 0;
                    await _timeouts.UnlessLostAsync(grain.BeginAsync(job), stop);
                    continue;
                }

                _timeouts.Renew();
                next = progress.Next;
                foreach (JobEvent e in progress.Events)
                    show(e);
                if (progress.Events.OfType<JobEnded>().FirstOrDefault() is { } ended)
                {
                    if (ended.Error is { } error)
                        throw ended.UserError ? new UserErrorException(error) : new ClusterFaultException(error);
                    return;
                }
            }
            catch (Exception e) when (!stop.IsCancellationRequested && ClusterTimeouts.MayPass(e))
            {
                await _timeouts.BearAsync(e, stop);
            }
        }
    }
}
