using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Display;

/// <summary>Where a run stands, gathered from its events.</summary>
public sealed class RunStatus(TimeProvider time)
{
    private readonly RunningMean _objective = new();
    private readonly RunningMean _imagesPerS = new();
    private readonly Series _history = new(capacity: 120);
    private long _startedAt;

    public RunStarted? Started { get; private set; }

    public StepCommitted? Last { get; private set; }

    public Evaluated? Test { get; private set; }

    public RunEnded? Ended { get; private set; }

    /// <summary>The workers that train; null while none does.</summary>
    public GenerationOpened? Generation { get; private set; }

    /// <summary>Worker of the newest fault, if it was a worker's and the run has not gone on since.</summary>
    public string? FaultyWorker { get; private set; }

    /// <summary>Committed steps. It goes back when all workers were lost and the run goes on from a checkpoint.</summary>
    public long Step { get; private set; }

    /// <summary>Smoothed training objective: bits/dim, or what energy distance has instead.</summary>
    public double? Objective => _objective.Value;

    public string ObjectiveName => Last is { BitsPerDim: null } ? "energy distance" : "bits/dim";

    public double? ImagesPerS => _imagesPerS.Value;

    /// <summary>The smoothed objective since the start.</summary>
    public IReadOnlyList<double> History => _history.Points;

    /// <summary>Until the run ends by steps or by minutes, whichever comes first; null while that is unknown.</summary>
    public TimeSpan? TimeLeft => (BySteps, ByMinutes) switch
    {
        ({ } steps, { } minutes) => steps < minutes ? steps : minutes,
        var (steps, minutes) => steps ?? minutes,
    };

    /// <summary>The part of the run that is done, from 0 to 1.</summary>
    public double Done => Started is null ? 0 : Math.Clamp(
        Math.Max((double)Step / Started.TotalSteps, Started.Spec.Limits.MaxMinutes is { } minutes ? Elapsed.TotalMinutes / minutes : 0), 0,
        1);

    private TimeSpan Elapsed => time.GetElapsedTime(_startedAt);

    private TimeSpan? BySteps => Started is not null && ImagesPerS is { } speed and > 0
        ? TimeSpan.FromSeconds(
            Math.Min(
                (Started.TotalSteps - Step) * (double)Started.Spec.Optimiser.ImagesPerStep / speed, TimeSpan.MaxValue.TotalSeconds / 2))
        : null;

    private TimeSpan? ByMinutes => Started?.Spec.Limits.MaxMinutes is { } minutes && TimeSpan.FromMinutes(minutes) - Elapsed is var left
        ? left > TimeSpan.Zero ? left : TimeSpan.Zero
        : null;

    public void Add(RunEvent e)
    {
        switch (e)
        {
            case RunStarted started:
                (Started, Step) = (started, started.FirstStep);
                _startedAt = time.GetTimestamp();
                break;
            case WorkersAwaited:
                Generation = null;
                break;
            case GenerationOpened opened:
                (Generation, Step, FaultyWorker) = (opened, opened.Step, null);
                break;
            case StepCommitted step:
                (Last, Step) = (step, step.Step);
                _imagesPerS.Add(step.ImagesPerS);
                if (!step.Skipped)
                {
                    _objective.Add(step.BitsPerDim ?? step.Loss);
                    _history.Add(_objective.Value!.Value);
                }

                break;
            case Evaluated test:
                Test = test;
                break;
            case FaultNoticed fault:
                FaultyWorker = fault.Worker;
                break;
            case RunEnded ended:
                (Ended, Generation) = (ended, null);
                break;
        }
    }
}
