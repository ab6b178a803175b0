using Microsoft.Extensions.Logging;
using Orleans.GrainDirectory;
using PixelCnnCluster.Actors.Cluster;
using PixelCnnCluster.Actors.Telemetry;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.History;

namespace PixelCnnCluster.Actors.Jobs;

/// <summary>One job and its results, in memory only.</summary>
[GrainDirectory(StoreNames.Directory)]
public sealed partial class JobGrain(
    ClusterWorkers cluster, JobSlots slots, DeviceMetrics metrics, TimeProvider time, ILogger<JobGrain> log) : Grain, IJobGrain
{
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(1), IdleTimeout = TimeSpan.FromSeconds(30);

    /// <summary>Those that nobody has said to have read: asking for later ones says it.</summary>
    private readonly List<JobEvent> _events = [];
    private int _first, _rows, _queued;
    private bool _isBegun, _isOver;
    private readonly Signal _news = new(time);
    private long _heard;

    public Task BeginAsync(Job job)
    {
        if (!_isBegun)
        {
            slots.Take();
            _isBegun = true;
            _rows = job.Model.Size;
            LogBegun(log, this.GetPrimaryKey(), job.Count, Printable.Of(job.Model.Path));
            _heard = time.GetTimestamp();
            DelayDeactivation(Timeout.InfiniteTimeSpan);
            JobCluster view = new(cluster.Active, cluster.FindSampler, cluster.ProcessOf) { Timeouts = cluster.Timeouts };
            _ = new JobCoordinator(this.GetPrimaryKey(), job, view, Tell, time, isWanted: () => !_isOver).RunAsync();
            this.RegisterGrainTimer(EndIfForgottenAsync, new() { DueTime = IdleTimeout, Period = IdleTimeout, Interleave = true });
        }

        return Task.CompletedTask;
    }

    public async Task<JobProgress?> ReadAsync(int from)
    {
        if (!_isBegun)
            return null;
        _heard = time.GetTimestamp();
        if (from >= _first + _events.Count)
            await _news.WaitAsync(ReadTimeout);
        int read = Math.Clamp(from - _first, 0, _events.Count);
        _events.RemoveRange(0, read);
        _first += read;
        return new([.. _events], _first + _events.Count);
    }

    public Task EndAsync()
    {
        if (_isBegun && !_isOver)
        {
            Queue(-_queued);
            slots.Release();
        }

        _isOver = true;
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) => EndAsync();

    private void Tell(JobEvent e)
    {
        if (_isOver)
            return;
        _events.Add(e);
        Queue(e switch
        {
            JobStarted started => started.Count,
            RowSampled row when row.Row == _rows - 1 => row.First - row.End,
            ImagesScored scored => -scored.Bits.Length,
            JobEnded => -_queued,
            _ => 0,
        });
        _news.Raise();
    }

    private void Queue(int images)
    {
        _queued += images;
        metrics.AddQueued(images);
    }

    private Task EndIfForgottenAsync() => time.GetElapsedTime(_heard) > IdleTimeout ? EndAsync() : Task.CompletedTask;

    [LoggerMessage(Level = LogLevel.Information, Message = "Job {Job}: at most {Count} images with {Model}")]
    private static partial void LogBegun(ILogger log, Guid job, int count, string model);
}
