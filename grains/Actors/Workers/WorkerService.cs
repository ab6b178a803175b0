using PixelCnnCluster.Actors.Telemetry;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Devices;

namespace PixelCnnCluster.Actors.Workers;

/// <summary>
/// The silo's device and the replica on it, apart from any grain activation. It serves one run at a time and, within the run, one
/// generation: orders of any other are refused. Whatever touches the replica runs on the device, one after another, and looks first whether
/// its generation is still the one.
/// </summary>
public sealed class WorkerService(
    string name, IDevice device, IReplicaSource replicas, WorkerPeers peers, DeviceMetrics metrics, TimeProvider time)
{
    /// <summary>A coordinator that is silent for so long, and all who could take over from it, have forgotten the worker.</summary>
    /// <summary>Those of a generation, of whom some may only hand their state over.</summary>
    private const int MostWorkers = 4096;

    private static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(15);

    /// <summary>
    /// Protects <see cref="_session"/> and <see cref="_heard"/>, and that a call finds the session that it is for. The session locks its
    /// own state, always inside this lock.
    /// </summary>
    private readonly Lock _gate = new();

    private readonly RepeatedCalls _calls = new(), _writes = new();
    private WorkerSession? _session;
    private (CheckpointRequest Order, Func<CheckpointResponse> Write)? _snapshot;
    private WorkerPhase _phase;
    private long _heard;

    /// <summary>The worker serves a run whose coordinator gives it orders, or repeats them.</summary>
    public bool IsNeeded => _session is { } mine && (time.GetElapsedTime(_heard) < IdleTimeout || !mine.Writing.IsCompleted);

    public Task LoadDataAsync(RunSpec spec) => device.RunAsync(() => replicas.Load(spec));

    public Task<PrepareResponse> PrepareAsync(PrepareRequest request)
    {
        lock (_gate)
        {
            _heard = time.GetTimestamp();
            if (_session is { Generation: var newest } && _session.Run == request.Run && newest != request.Generation
                && newest.Number >= request.Generation.Number)
            {
                throw new StaleOrderException(
                    $"{name} has heard of generation {newest} of run {request.Run}; this opening of generation " +
                    $"{request.Generation} is over.")
                {
                    Newest = newest.Number,
                };
            }

            if (request.OnlyIfServing && _session?.Run != request.Run)
                throw new StaleOrderException($"{name} does not serve run {request.Run} any more.");
            if (_session is { } former && former.Run != request.Run)
                Evict(former);
            _session ??= new(request.Run);
            _session.Prepare(request.Generation);
            WorkerSession mine = _session;
            return _calls.Once((request.Run, request.Generation, nameof(PrepareAsync)), () => device.RunAsync(() =>
            {
                mine.ThrowIfBroken();
                _phase = WorkerPhase.Loading;
                if (mine.Replica is null)
                {
                    long begun = time.GetTimestamp();
                    mine.Replica = mine.IsIn(request.Generation) ? replicas.Build(request.Spec) : throw Left(request.Run);
                    metrics.AddLoad(request.Run, time.GetElapsedTime(begun));
                }

                return new PrepareResponse(name, mine.HasState ? mine.Replica.Step : null, replicas.NewestCheckpoint(request.Spec))
                {
                    Arithmetic = replicas.Arithmetic(request.Spec),
                    Data = mine.Replica.Facts.Data,
                };
            }));
        }
    }

    /// <exception cref="ArgumentException">The generation cannot be, or this worker is none of it.</exception>
    public Task<JoinResponse> JoinAsync(JoinRequest request)
    {
        request.Spec.Check();
        if (!request.Workers.Contains(name) || request.Workers.Distinct().Count() != request.Workers.Count
            || request.Workers.Count > MostWorkers || request.Step < 0)
            throw new ArgumentException(
                $"{name} cannot join a generation of {string.Join(", ", request.Workers.Take(10))} at step {request.Step}.",
                nameof(request));
        lock (_gate)
        {
            _heard = time.GetTimestamp();
            if (_session is not { } mine || mine.Run != request.Run || mine.Generation != request.Generation)
                throw new StaleOrderException($"{name} is not prepared for generation {request.Generation} of run {request.Run}.");
            // Joined is joined: another exchange of the same generation would take the peers' connections from the first.
            return mine.Member is { } member
                ? Task.FromResult(member.Response)
                : _calls.Once((request.Run, request.Generation, nameof(JoinAsync)), () => JoinAsync(mine, request));
        }
    }

    public Task<StepResponse> StepAsync(StepRequest request) =>
        AsMember(request, request.Run, request.Generation, member => member.Pipeline!.RunAsync(request));

    /// <summary>
    /// The exchange that a peer's chunks are for; null where the peer's generation is over, or this worker has yet to join it.
    /// </summary>
    public GradientExchange? ExchangeFor(PeerGreeting greeting) =>
        _session?.Member is { } member && member.Request.Run == greeting.Run
            && member.Request.Generation == new GenerationId(greeting.Generation, greeting.Nonce) ? member.Exchange : null;

    /// <exception cref="ArgumentException">There are no such bytes, or too many of them.</exception>
    public Task<StateResponse> ReadStateAsync(StateRequest request) => request.Length is > 0 and <= StateCopy.SliceBytes
        ? AtStep(
            null, request.Run, request.Generation, request.Step,
            replica => new StateResponse(replica.ReadState(request.Offset, request.Length), replica.SkippedInARow, replica.Images),
            WorkerPhase.Waiting)
        : throw new ArgumentException($"A state is read in slices of at most {StateCopy.SliceBytes} bytes.", nameof(request));

    public Task<EvaluateResponse> EvaluateAsync(EvaluateRequest request) => AtStep(
        request, request.Run, request.Generation, request.Step,
        replica => new EvaluateResponse(replica.Evaluate(request.FirstBatch, request.EndBatch)), WorkerPhase.Evaluating);

    public Task<SampleResponse> SampleAsync(SampleRequest request) => AtStep(
        request, request.Run, request.Generation, request.Step, replica => new SampleResponse(replica.Sample(request.First, request.End)),
        WorkerPhase.Sampling);

    public Task<string> HashAsync(StepRequest request) => AtStep(
        (request, nameof(HashAsync)), request.Run, request.Generation, request.Step, replica => replica.Hash(), WorkerPhase.Waiting);

    /// <summary>Copies the state; <see cref="WriteSnapshotAsync"/> writes it while training goes on.</summary>
    public Task SnapshotAsync(CheckpointRequest request) => AtStep(
        // The state is copied each time: the copy before may have been lost on a full disk.
        null,
        request.Run,
        request.Generation,
        request.Step,
        replica =>
        {
            _snapshot = (request, replica.Snapshot(request.Run, request.TestBitsPerDim));
            return true;
        },
        WorkerPhase.Waiting);

    public Task<CheckpointResponse> WriteSnapshotAsync(CheckpointRequest request) => _writes.Once(request, () =>
    {
        if (_session is { Writing.IsCompleted: false })
            throw new IOException(
                $"{name} has not written the checkpoint before this one yet; see that the folder of run {request.Run} answers.");
        if (_session is not { } mine || _snapshot is not { } taken || taken.Order != request)
            throw new StaleOrderException($"{name} has no snapshot of step {request.Step} of run {request.Run}.");
        _snapshot = null;
        Task<CheckpointResponse> written = device.RunAsideAsync(() =>
        {
            long begun = time.GetTimestamp();
            CheckpointResponse response = taken.Write();
            metrics.AddCheckpoint(request.Run, time.GetElapsedTime(begun));
            return response;
        });
        mine.Writing = written;
        return written;
    });

    public Task<long?> AddScoreAsync(AddScoreRequest request) => _writes.Once(
        request, () => device.RunAsideAsync(() => replicas.AddScore(request.Checkpoint, request.TestBitsPerDim)));

    public Task LeaveAsync(string run, int generation)
    {
        lock (_gate)
        {
            if (_session is { } mine && mine.Run == run && mine.Generation.Number <= generation)
                Evict(mine);
            return Task.CompletedTask;
        }
    }

    public WorkerStatus Status()
    {
        lock (_gate)
            return new(
                name, device.Description, _session?.Run, _session?.Generation.Number ?? 0, _session?.Member is null ? 0
                    : _session.Replica!.Step, _session is null ? WorkerPhase.Idle : _phase)
            {
                BusySeconds = device.BusyFor.TotalSeconds,
            };
    }

    private async Task<JoinResponse> JoinAsync(WorkerSession mine, JoinRequest request)
    {
        IReplica replica = mine.Replica!;
        IReadOnlyList<string> refused = [];
        if (request.Source is { } source)
            await new StateCopy(mine, request, peers.Find(source), device).RunAsync();
        else if (request.Step is null)
            await OnDeviceAsync(() => refused = mine.Start(request.MustLoad));
        int rank = request.Workers.ToList().IndexOf(name);
        ReplicaFacts facts = replica.Facts;
        JoinResponse? response = null;
        await OnDeviceAsync(() =>
        {
            response = new()
            {
                Worker = name,
                Step = replica.Step,
                SkippedInARow = replica.SkippedInARow,
                Images = replica.Images,
                Parameters = facts.Parameters,
                FlopsPerImage = facts.FlopsPerImage,
                TrainImages = facts.TrainImages,
                TestImages = facts.TestImages,
                Channels = facts.Channels,
                Size = facts.Size,
                StateHash = replica.Hash(),
                Refused = refused,
            };
            lock (_gate)
            {
                if (!mine.IsIn(request.Generation))
                    throw Left(request.Run);
                GradientExchange exchange = new(
                    new(request.Spec.Optimiser.Shards), new(rank, request.Workers.Count), replica.GradientBuckets,
                    request.Spec.Compute.Wire, replica.NewVector, mine.Over);
                GenerationMember member = new(mine, request, exchange, response);
                member.Pipeline = new(member, device, step => Check(member, step), phase => _phase = phase, metrics, time);
                mine.Join(member);
                var links = new PeerLinks(
                    peers.Network, new(request.Run, request.Generation.Number, name, request.Generation.Nonce), time, peers.Log)
                {
                    Sent = bytes => metrics.AddSent(request.Run, bytes),
                    Gone = member.PeerLoss.Tell,
                };
                links.Start(exchange, request.Workers);
            }

            _phase = WorkerPhase.Waiting;
        });
        return response!;

        Task OnDeviceAsync(Action work) => device.RunAsync(() =>
        {
            if (!mine.IsIn(request.Generation))
                throw Left(request.Run);
            mine.ThrowIfBroken();
            work();
        });
    }

    /// <param name="call">Under which the answer is remembered for a repeated call; null for work that may be done again.</param>
    private Task<T> AtStep<T>(object? call, string run, GenerationId generation, long step, Func<IReplica, T> work, WorkerPhase during) =>
        AsMember(call, run, generation, member => device.RunAsync(() =>
        {
            Check(member, step);
            _phase = during;
            T result = work(member.Session.Replica!);
            _phase = WorkerPhase.Waiting;
            return result;
        }));

    private Task<T> AsMember<T>(object? call, string run, GenerationId generation, Func<GenerationMember, Task<T>> work)
    {
        lock (_gate)
        {
            _heard = time.GetTimestamp();
            GenerationMember member = _session?.Member is { } current && current.Request.Run == run
                && current.Request.Generation == generation
                ? current
                : throw new StaleOrderException($"{name} is not in generation {generation} of run {run}.");
            return call is null ? work(member) : _calls.Once(call, () => work(member));
        }
    }

    /// <summary>Refuses what is not for the generation, or not for the state.</summary>
    /// <param name="step">Steps that the state has applied.</param>
    private void Check(GenerationMember member, long step)
    {
        if (_session?.Member != member)
            throw new StaleOrderException($"{name} has left generation {member.Request.Generation} of run {member.Request.Run}.");
        member.Session.ThrowIfBroken();
        if (member.Session.Replica!.Step != step)
            throw new InvalidOperationException(
                $"The replica is at step {member.Session.Replica.Step} and cannot follow an order for step {step}.");
    }

    private void Evict(WorkerSession former)
    {
        former.Leave();
        _session = null;
        _snapshot = null;
        _ = device.RunAsync(former.Dispose);
    }

    private StaleOrderException Left(string run) => new($"{name} has left run {run} or this generation of it.");
}
