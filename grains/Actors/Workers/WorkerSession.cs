using System.Runtime.ExceptionServices;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors.Workers;

/// <summary>A run's stay on the device. Its replica outlives generations. See <see cref="SessionTransitions"/> for its states.</summary>
internal sealed class WorkerSession(string run) : IDisposable
{
    /// <summary>
    /// Protects <see cref="State"/>, <see cref="Generation"/>, <see cref="Member"/> and <see cref="_fault"/>: calls and the device change
    /// them. The rest is touched on the device alone, but for <see cref="Writing"/>.
    /// </summary>
    private readonly Lock _gate = new();

    private CancellationTokenSource _generationOver = new();
    private Exception? _fault;

    public string Run => run;

    public SessionState State { get; private set; }

    /// <summary>The newest that the worker has heard of.</summary>
    public GenerationId Generation { get; private set; }

    /// <summary>The part in the newest generation; null unless it has joined it.</summary>
    public GenerationMember? Member { get; private set; }

    public IReplica? Replica { get; set; }

    /// <summary>The replica holds a state of the run, rather than nothing or a part of one.</summary>
    public bool HasState { get; set; }

    /// <summary>The newest checkpoint that is being written.</summary>
    public Task Writing { get; set; } = Task.CompletedTask;

    /// <summary>Cancelled when the generation ends.</summary>
    public CancellationToken Over => _generationOver.Token;

    /// <summary>Ends the generation before, if this one is another.</summary>
    public void Prepare(GenerationId generation)
    {
        lock (_gate)
        {
            if (State != SessionState.Idle && Generation == generation)
                return;
            EndGeneration();
            _generationOver = new();
            Generation = generation;
            Move(SessionEvent.Prepare);
        }
    }

    /// <summary>Whether it is prepared for a generation, or has joined it.</summary>
    public bool IsIn(GenerationId generation)
    {
        lock (_gate)
            return State != SessionState.Idle && Generation == generation;
    }

    /// <param name="member">In the newest generation.</param>
    public void Join(GenerationMember member)
    {
        lock (_gate)
        {
            Move(SessionEvent.Join);
            Member = member;
        }
    }

    /// <summary>Every request after this is answered with the fault, until the worker leaves the run.</summary>
    public void Break(Exception fault)
    {
        lock (_gate)
        {
            _fault = fault;
            Move(SessionEvent.Break);
        }
    }

    /// <summary>The run is over for this worker.</summary>
    public void Leave()
    {
        lock (_gate)
        {
            EndGeneration();
            Move(SessionEvent.Leave);
        }
    }

    /// <exception cref="Exception">The fault with which the session broke.</exception>
    public void ThrowIfBroken()
    {
        lock (_gate)
        {
            if (State == SessionState.Broken)
                ExceptionDispatchInfo.Throw(_fault!);
        }
    }

    /// <summary>Loads the newest whole checkpoint, if it is further than what is here, or begins afresh.</summary>
    /// <inheritdoc cref="IReplica.Start"/>
    public IReadOnlyList<string> Start(bool mustLoad)
    {
        IReadOnlyList<string> damaged = Replica!.Start(HasState ? Replica.Step : null, mustLoad);
        HasState = true;
        return damaged;
    }

    /// <summary>Frees the replica; on the device.</summary>
    public void Dispose()
    {
        Replica?.Dispose();
        _generationOver.Dispose();
    }

    private void Move(SessionEvent happened) =>
        State = SessionTransitions.All.TryGetValue((State, happened), out SessionState next) ? next
            : throw new InvalidOperationException($"A session that is {State} cannot {happened}.");

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
