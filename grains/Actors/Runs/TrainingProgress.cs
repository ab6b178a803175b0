using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>How far a run is, and for how long it has trained.</summary>
internal sealed class TrainingProgress
{
    private readonly TimeProvider _time;
    private double _seconds;
    private long? _since;

    /// <param name="record">As another coordinator may have left it.</param>
    public TrainingProgress(RunRecord record, TimeProvider time)
    {
        _time = time;
        _seconds = record.Seconds;
        HasBegun = record.State == RunState.Training;
        FirstStep = record.FirstStep;
        Step = record.Step;
    }

    /// <summary>A generation has trained since the run was submitted or resumed.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>Committed steps when the run began, or went on after it had ended.</summary>
    public long FirstStep { get; private set; }

    /// <summary>The newest generation has committed a step.</summary>
    public bool HasCommitted { get; private set; }

    /// <summary>Committed steps.</summary>
    public long Step { get; private set; }

    /// <summary>Null before the first generation.</summary>
    public long? TotalSteps { get; private set; }

    /// <summary>Of the newest step; null for energy distance.</summary>
    public double? BitsPerDim { get; private set; }

    public int SkippedInARow { get; private set; }

    /// <summary>Of training, in all generations.</summary>
    public double Seconds => _seconds + (_since is { } at ? _time.GetElapsedTime(at).TotalSeconds : 0);

    /// <summary>The run begins, or goes on after it had ended.</summary>
    public void Begin(long step)
    {
        HasBegun = true;
        FirstStep = Step = step;
    }

    /// <summary>A generation begins to train.</summary>
    public void Start(JoinResponse facts, long totalSteps)
    {
        // What a fault has taken does not count as trained.
        if (facts.Step < Step)
            _seconds *= Step > FirstStep ? Math.Max(0, facts.Step - FirstStep) / (double)(Step - FirstStep) : 0;
        Step = facts.Step;
        SkippedInARow = facts.SkippedInARow;
        TotalSteps = totalSteps;
        _since = _time.GetTimestamp();
        HasCommitted = false;
    }

    /// <summary>No generation trains.</summary>
    public void Pause()
    {
        _seconds = Seconds;
        _since = null;
    }

    public void Commit(double? bitsPerDim, int skippedInARow)
    {
        BitsPerDim = bitsPerDim;
        SkippedInARow = skippedInARow;
        Step++;
        HasCommitted = true;
    }

    public RunRecord Note(RunRecord record) => record with
    {
        FirstStep = FirstStep,
        Step = Step,
        TotalSteps = TotalSteps ?? record.TotalSteps,
        BitsPerDim = BitsPerDim ?? record.BitsPerDim,
        Seconds = Seconds,
        Lost = HasCommitted ? [] : record.Lost,
    };
}
