using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>How a generation ended, and so what the run does next.</summary>
internal abstract record GenerationOutcome
{
    private GenerationOutcome()
    {
    }

    /// <summary>The run is over.</summary>
    public sealed record Finished(RunEnded End) : GenerationOutcome;

    /// <summary>Another set of workers goes on.</summary>
    public sealed record Regroup(GenerationCause Cause, string Text) : GenerationOutcome;

    /// <summary>A worker was lost, or its work failed: the others go on.</summary>
    public sealed record WorkerFailed(WorkerFaultException Fault) : GenerationOutcome;

    /// <summary>This coordinator ends: one on another silo goes on.</summary>
    public sealed record Left : GenerationOutcome;
}

/// <summary>Another generation should take the place of this one; the message says why.</summary>
internal sealed class RegroupException(GenerationCause cause, string message) : Exception(message)
{
    public GenerationCause Cause => cause;
}
