using System.Runtime.ExceptionServices;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors.Workers;

/// <summary>A run's stay on the device. Its replica outlives generations.</summary>
internal sealed class WorkerSession(string run) : IDisposable
{
    private CancellationTokenSource _generationOver = new();

    public string Run => run;

    /// <summary>The newest that the worker has heard of.</summary>
    public GenerationId Generation { get; private set; }

    /// <summary>The part in the current generation, once joined.</summary>
    public GenerationMember? Member { get; set; }

    public IReplica? Replica { get; set; }

    /// <summary>The replica holds a state of the run, rather than nothing or a part of one.</summary>
    public bool HasState { get; set; }

    public bool IsOver { get; private set; }

    /// <summary>The newest checkpoint that is being written.</summary>
    public Task Writing { get; set; } = Task.CompletedTask;

    /// <summary>Why a gradient could not be applied whose step was reported before: nobody knows what the state is now.</summary>
    public Exception? Fault { get; set; }

    /// <summary>Cancelled when the generation ends.</summary>
    public CancellationToken Over => _generationOver.Token;

    /// <exception cref="Exception">The <see cref="Fault"/>, until the worker leaves the run.</exception>
    public void ThrowIfBroken()
    {
        if (Fault is not null)
            ExceptionDispatchInfo.Throw(Fault);
    }

    public void Begin(GenerationId generation)
    {
        EndGeneration();
        _generationOver = new();
        Generation = generation;
    }

    /// <summary>Loads the newest whole checkpoint, if it is further than what is here, or begins afresh.</summary>
    /// <inheritdoc cref="IReplica.Start"/>
    public IReadOnlyList<string> Start(bool mustLoad)
    {
        IReadOnlyList<string> damaged = Replica!.Start(HasState ? Replica.Step : null, mustLoad);
        HasState = true;
        return damaged;
    }

    public void End()
    {
        EndGeneration();
        IsOver = true;
    }

    /// <summary>Frees the replica; on the device.</summary>
    public void Dispose()
    {
        Replica?.Dispose();
        _generationOver.Dispose();
    }

    private void EndGeneration()
    {
        _generationOver.Cancel();
        Member = null;
    }
}

/// <summary>A worker's part in a generation.</summary>
internal sealed record GenerationMember(WorkerSession Session, JoinRequest Request, GradientExchange Exchange, JoinResponse Response)
{
    public PeerLoss PeerLoss { get; } = new();

    /// <summary>Its steps.</summary>
    public StepPipeline? Pipeline { get; set; }
}
