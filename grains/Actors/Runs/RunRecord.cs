using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>What is kept of a run in the cluster's store, so that another silo can take its coordinator over.</summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties)]
public sealed record RunRecord
{
    /// <summary>Null for a run that nobody has submitted.</summary>
    public RunSpec? Spec { get; init; }

    public RunState State { get; init; }

    public DateTimeOffset Submitted { get; init; }

    /// <summary>
    /// The newest that a coordinator has opened. Opening one is a compare-and-set, so two coordinators never open the same.
    /// </summary>
    public int Generation { get; init; }

    /// <summary>Those of the newest generation that could train: written before it is given its first order.</summary>
    public string[] Workers { get; init; } = [];

    /// <summary>All who may hold a state of the run: <see cref="Workers"/>, and those asked since then to join.</summary>
    public string[] Holders { get; init; } = [];

    /// <summary>Committed steps when the run began, or went on after it had ended.</summary>
    public long FirstStep { get; init; }

    /// <summary>Committed steps.</summary>
    public long Step { get; init; }

    /// <summary>
    /// Steps of the newest checkpoint that was written; null before the first. The folder alone cannot tell what it lacks when its volume
    /// is not mounted.
    /// </summary>
    public long? SavedStep { get; init; }

    /// <summary>Workers whose process went away with its state, once for each time, since a step was committed.</summary>
    public string[] Lost { get; init; } = [];

    /// <summary>How the workers round that train the run; null before the first have begun.</summary>
    public string? Arithmetic { get; init; }

    /// <summary>What the run's images are; null before the first workers have begun.</summary>
    public string? Data { get; init; }

    public long? TotalSteps { get; init; }

    public double? BitsPerDim { get; init; }

    public double? TestBitsPerDim { get; init; }

    /// <summary>Seconds of training, without those of waiting for workers.</summary>
    public double Seconds { get; init; }

    /// <summary>The run is to end after the step in progress.</summary>
    public bool IsStopping { get; init; }

    /// <summary>Why the run has failed.</summary>
    public string? Error { get; init; }

    public bool IsOver => State.IsOver();
}

/// <summary>Keeps a run's record by compare-and-set.</summary>
public interface IRunStore
{
    RunRecord Record { get; }

    /// <exception cref="LeaseLostException">Someone else has written since: another coordinator has taken over.</exception>
    Task WriteAsync(RunRecord record);
}

/// <summary>Another coordinator has taken the run over.</summary>
public sealed class LeaseLostException : Exception
{
    public LeaseLostException(string message) : base(message) { }

    public LeaseLostException(string message, Exception inner) : base(message, inner) { }

    public LeaseLostException() { }
}
