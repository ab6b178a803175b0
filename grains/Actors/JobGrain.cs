using Microsoft.Extensions.Logging;
using Orleans.GrainDirectory;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors;

/// <summary>One job and its results, in memory only.</summary>
[GrainDirectory(StoreNames.Directory)]
public sealed partial class JobGrain(ClusterWorkers cluster, JobSlots slots, DeviceMetrics metrics, TimeProvider time, ILogger<JobGrain> log) : Grain, IJobGrain
{
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(1), IdleTimeout = TimeSpan.FromSeconds(30);

    /// <summary>Those that nobody has said to have read: asking for later ones says it.</summary>
    private readonly List<JobEvent> events = [];
    private int first, rows, queued;
    private bool isBegun, isOver;
    private TaskCompletionSource news = NewSignal();
    private long heard;

    public Task BeginAsync(Job job)
    {
        if (!isBegun)
        {
            slots.Take();
            isBegun = true;
            rows = job.Model.Size;
            LogBegun(log, this.GetPrimaryKey(), job.Count, job.Model.Path);
            heard = time.GetTimestamp();
            DelayDeactivation(Timeout.InfiniteTimeSpan);
            _ = new JobCoordinator(this.GetPrimaryKey(), job, new(cluster.Active, cluster.FindSampler, cluster.ProcessOf), Tell, time, isWanted: () => !isOver).RunAsync();
            this.RegisterGrainTimer(EndIfForgottenAsync, new() { DueTime = IdleTimeout, Period = IdleTimeout, Interleave = true });
        }

        return Task.CompletedTask;
    }

    public async Task<JobProgress?> ReadAsync(int from)
    {
        if (!isBegun)
            return null;
        heard = time.GetTimestamp();
        if (from >= first + events.Count)
            await Task.WhenAny(news.Task, Task.Delay(ReadTimeout, time));
        int read = Math.Clamp(from - first, 0, events.Count);
        events.RemoveRange(0, read);
        first += read;
        return new([.. events], first + events.Count);
    }

    public Task EndAsync()
    {
        if (isBegun && !isOver)
        {
            Queue(-queued);
            slots.Release();
        }

        isOver = true;
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) => EndAsync();

    private void Tell(JobEvent e)
    {
        if (isOver)
            return;
        events.Add(e);
        Queue(e switch
        {
            JobStarted started => started.Count,
            RowSampled drawn when drawn.Row == rows - 1 => drawn.First - drawn.End,
            ImagesScored scored => -scored.Bits.Length,
            JobEnded => -queued,
            _ => 0,
        });
        news.SetResult();
        news = NewSignal();
    }

    private void Queue(int images)
    {
        queued += images;
        metrics.AddQueued(images);
    }

    private Task EndIfForgottenAsync() => time.GetElapsedTime(heard) > IdleTimeout ? EndAsync() : Task.CompletedTask;

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    [LoggerMessage(Level = LogLevel.Information, Message = "Job {Job}: at most {Count} images with {Model}")]
    private static partial void LogBegun(ILogger log, Guid job, int count, string model);
}
