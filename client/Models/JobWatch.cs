using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Models;

/// <summary>Has a cluster do a job and follows its events; a job that was lost with its silo is begun again and tells the same.</summary>
/// <param name="lost">Fails when nobody is left to answer, so that waiting is in vain.</param>
public sealed class JobWatch(IJobGrain grain, Job job, Action<JobEvent> show, Task lost, TimeProvider time)
{
    /// <summary>A cluster that is silent for longer is lost.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(250);

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
        var heardAt = time.GetTimestamp();
        for (var next = 0; ;)
        {
            try
            {
                if (await UnlessLostAsync(grain.ReadAsync(next), stop) is not { } progress)
                {
                    next = 0;
                    var begun = grain.BeginAsync(job);
                    await await Task.WhenAny(begun, lost).WaitAsync(stop);
                    continue;
                }

                (next, heardAt) = (progress.Next, time.GetTimestamp());
                foreach (var e in progress.Events)
                    show(e);
                if (progress.Events.OfType<JobEnded>().FirstOrDefault() is { } ended)
                {
                    if (ended.Error is { } error)
                        throw ended.UserError ? new UserErrorException(error) : new ClusterFaultException(error);
                    return;
                }
            }
            catch (Exception e) when (!stop.IsCancellationRequested && e is not (UserErrorException or ClusterFaultException))
            {
                if (time.GetElapsedTime(heardAt) > Patience)
                    throw new ClusterFaultException($"The cluster has not answered for {Patience.TotalSeconds} s: {e.Message}", e);
                await Task.Delay(RetryDelay, time, stop);
            }
        }
    }

    private async Task<T> UnlessLostAsync<T>(Task<T> call, CancellationToken stop)
    {
        await await Task.WhenAny(call, lost).WaitAsync(stop);
        return await call;
    }
}
