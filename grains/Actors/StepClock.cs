using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors;

/// <summary>Times a run's steps, so that a worker whose device hangs is told from one that is slow.</summary>
internal sealed class StepClock(TimeProvider time)
{
    /// <summary>A step may take this many times as long as the longest so far.</summary>
    private const int Tolerance = 20;

    private static readonly TimeSpan LeastPatience = TimeSpan.FromMinutes(1), FirstPatience = TimeSpan.FromHours(1), StatusPatience = TimeSpan.FromSeconds(5);

    private TimeSpan longest, total;
    private long count;
    private bool inProgress;

    /// <summary>When the newest step ended, if the next follows at once: that began then, before its order.</summary>
    private long? followed;

    /// <summary>Duration of the newest step.</summary>
    public TimeSpan Newest { get; private set; }

    public double StepsPerSecond => count == 0 ? 0 : count / total.TotalSeconds;

    private TimeSpan Patience => count == 0 ? FirstPatience : longest * Tolerance > LeastPatience ? longest * Tolerance : LeastPatience;

    /// <summary>Orders a step and waits for all reports.</summary>
    /// <param name="goesOn">See <see cref="StepOrder"/>.</param>
    /// <exception cref="WorkerFaultException">A worker was lost, its work threw, or it has not computed its shards by the step's deadline.</exception>
    public async Task<StepReport[]> TimeAsync(Crew crew, long step, bool goesOn)
    {
        long ordered = time.GetTimestamp(), begun = followed ?? ordered;
        inProgress = true;
        Task<StepReport[]> reports = crew.AskAllAsync((_, worker) => worker.StepAsync(new(crew.Run, crew.Generation, step, goesOn)));
        StepReport[] all;
        try
        {
            all = await reports.WaitAsync(Patience, time);
        }
        catch (TimeoutException)
        {
            throw await AccuseAsync(crew, step, Patience);
        }

        long end = time.GetTimestamp();
        TimeSpan answered = time.GetElapsedTime(ordered, end);
        (inProgress, followed, Newest) = (false, goesOn ? end : null, time.GetElapsedTime(begun, end));
        (longest, total, count) = (answered > longest ? answered : longest, total + Newest, count + 1);
        return all;
    }

    /// <summary>Something comes before the next step that is none of its time.</summary>
    public void Interrupt() => followed = null;

    /// <summary>A generation begins.</summary>
    /// <returns>Steps that are done again: those that were committed and are lost with all who had applied them, and the one in progress.</returns>
    public long Regroup(long committed, long begin)
    {
        long redone = committed - begin + (inProgress ? 1 : 0);
        inProgress = false;
        Interrupt();
        return Math.Max(0, redone);
    }

    private async Task<Exception> AccuseAsync(Crew crew, long step, TimeSpan patience)
    {
        foreach (string worker in crew.Workers)
        {
            try
            {
                WorkerStatus status = await crew.AskAsync(worker, grain => grain.StatusAsync()).WaitAsync(StatusPatience, time);
                if (status.Phase != WorkerPhase.Computing)
                    continue;
            }
            catch (Exception fault) when (fault is TimeoutException or WorkerFaultException)
            {
            }

            string message = $"it has not computed its shards of step {step} within {patience.TotalSeconds:F0} s";
            // There is nobody to go on without it.
            return new WorkerFaultException(worker, crew.Workers.Count == 1 ? new TimeoutException(message) : new InvalidOperationException($"{message}, and is left out"));
        }

        return new RegroupException(GenerationCause.StoodStill, $"the exchange of step {step} stood still for {patience.TotalSeconds:F0} s");
    }
}
