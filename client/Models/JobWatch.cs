using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Models;

/// <summary>
/// Has a cluster do a job and follows its events; a job that was lost with its silo is begun again and tells the same. One that is lost
/// twice before it gets further is not: it may be what ends the silos.
/// </summary>
/// <param name="lost">Fails when nobody is left to answer, so that waiting is in vain.</param>
public sealed class JobWatch(IJobGrain grain, Job job, Action<JobEvent> show, Task lost, TimeProvider time)
{
    private const int MostLosses = 2;

    private readonly ClusterTimeouts _timeouts = new(lost, time);
    private bool _isBegun;

    /// <summary>Bytes and scores that were told, since the job was begun the last time and at most.</summary>
    private long _told, _most;
    private int _losses;

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
                    CountLoss();
                    await _timeouts.UnlessLostAsync(grain.BeginAsync(job), stop);
                    _isBegun = true;
                    continue;
                }

                _timeouts.Renew();
                next = progress.Next;
                foreach (JobEvent e in progress.Events)
                {
                    Count(e);
                    show(e);
                }

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

    /// <exception cref="ClusterFaultException">The job was lost too often.</exception>
    private void CountLoss()
    {
        _told = 0;
        if (_isBegun && ++_losses == MostLosses)
            throw new ClusterFaultException(
                "The silo that had the job ended twice before the job got any further, so no third is given it; see the silos' logs. If " +
                "they were stopped on purpose, begin again.");
        _isBegun = false;
    }

    private void Count(JobEvent e)
    {
        _told += e switch
        {
            RowSampled row => row.Pixels.Length,
            ImagesScored scored => scored.Bits.Length,
            _ => 0,
        };
        if (_told > _most)
            (_most, _losses) = (_told, 0);
    }
}
