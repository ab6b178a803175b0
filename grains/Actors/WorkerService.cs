using System.Diagnostics;
using Microsoft.Extensions.Logging;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors;

/// <summary>
/// The silo's device and the replica on it, apart from any grain activation. It serves one run at a time and, within the run, one
/// generation: orders of any other are refused. Whatever touches the replica runs on the device, one after another, and looks first whether
/// its generation is still the one.
/// </summary>
public sealed class WorkerService(
    string name, IDevice device, IReplicaSource replicas, Func<string, IWorkerGrain> find, IPeerNetwork network, DeviceMetrics metrics, TimeProvider time, ILogger<WorkerService> log)
{
    /// <summary>A coordinator that is silent for so long, and all who could take over from it, have forgotten the worker.</summary>
    private static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(15);

    private readonly Lock gate = new();
    private readonly RepeatedCalls calls = new(), writes = new();
    private WorkerSession? session;
    private (CheckpointRequest Order, Func<CheckpointResponse> Write)? snapshot;
    private WorkerPhase phase;
    private long heard;

    /// <summary>The worker serves a run whose coordinator gives it orders, or repeats them.</summary>
    public bool IsNeeded => session is { } mine && (time.GetElapsedTime(heard) < IdleTimeout || !mine.Writing.IsCompleted);

    public Task LoadDataAsync(RunSpec spec) => device.RunAsync(() => replicas.Load(spec));

    public Task<PrepareResponse> PrepareAsync(PrepareRequest order)
    {
        lock (gate)
        {
            heard = time.GetTimestamp();
            if (session is { Generation: var newest } && session.Run == order.Run && newest != order.Generation && newest.Number >= order.Generation.Number)
            {
                throw new StaleOrderException($"{name} has heard of generation {newest} of run {order.Run}; this opening of generation {order.Generation} is over.")
                {
                    Newest = newest.Number,
                };
            }

            if (order.OnlyIfServing && session?.Run != order.Run)
                throw new StaleOrderException($"{name} does not serve run {order.Run} any more.");
            if (session is { } former && former.Run != order.Run)
                Evict(former);
            session ??= new(order.Run);
            if (session.Generation != order.Generation)
                session.Begin(order.Generation);
            WorkerSession mine = session;
            return calls.Once((order.Run, order.Generation, nameof(PrepareAsync)), () => device.RunAsync(() =>
            {
                mine.ThrowIfBroken();
                phase = WorkerPhase.Loading;
                if (mine.Replica is null)
                {
                    long begun = time.GetTimestamp();
                    mine.Replica = mine.IsOver ? throw Left(order.Run) : replicas.Build(order.Spec);
                    metrics.AddLoad(order.Run, time.GetElapsedTime(begun));
                }

                return new PrepareResponse(name, mine.HasState ? mine.Replica.Step : null, replicas.NewestCheckpoint(order.Spec)) { Arithmetic = replicas.Arithmetic(order.Spec) };
            }));
        }
    }

    public Task<JoinResponse> JoinAsync(JoinRequest order)
    {
        lock (gate)
        {
            heard = time.GetTimestamp();
            if (session is not { } mine || mine.Run != order.Run || mine.Generation != order.Generation)
                throw new StaleOrderException($"{name} is not enrolled for generation {order.Generation} of run {order.Run}.");
            // Joined is joined: another exchange of the same generation would take the peers' connections from the first.
            return mine.Member is { } member
                ? Task.FromResult(member.Response)
                : calls.Once((order.Run, order.Generation, nameof(JoinAsync)), () => JoinAsync(mine, order));
        }
    }

    public Task<StepResponse> StepAsync(StepRequest order) => AsMember(order, order.Run, order.Generation, member => StepAsync(member, order));

    /// <summary>The exchange that a peer's chunks are for; null where the peer's generation is over, or this worker has yet to join it.</summary>
    public GradientExchange? ExchangeFor(PeerGreeting greeting) =>
        session?.Member is { } member && member.Request.Run == greeting.Run && member.Request.Generation == new GenerationId(greeting.Generation, greeting.Nonce) ? member.Exchange : null;

    public Task<StateResponse> ReadStateAsync(StateRequest order) => AtStep(
        null, order.Run, order.Generation, order.Step, replica => new StateResponse(replica.ReadState(order.Offset, order.Length), replica.SkippedInARow, replica.Images), WorkerPhase.Waiting);

    public Task<EvaluateResponse> EvaluateAsync(EvaluateRequest order) => AtStep(
        order, order.Run, order.Generation, order.Step, replica => new EvaluateResponse(replica.Evaluate(order.FirstBatch, order.EndBatch)), WorkerPhase.Evaluating);

    public Task<SampleResponse> SampleAsync(SampleRequest order) => AtStep(
        order, order.Run, order.Generation, order.Step, replica => new SampleResponse(replica.Sample(order.First, order.End)), WorkerPhase.Sampling);

    public Task<string> HashAsync(StepRequest order) => AtStep(
        (order, nameof(HashAsync)), order.Run, order.Generation, order.Step, replica => replica.Hash(), WorkerPhase.Waiting);

    /// <summary>Copies the state; <see cref="WriteSnapshotAsync"/> writes it while training goes on.</summary>
    public Task SnapshotAsync(CheckpointRequest order) => AtStep(
        // Always anew: the copy before may have been lost on a full disk.
        null,
        order.Run,
        order.Generation,
        order.Step,
        replica =>
        {
            snapshot = (order, replica.Snapshot(order.Run, order.TestBitsPerDim));
            return true;
        },
        WorkerPhase.Waiting);

    public Task<CheckpointResponse> WriteSnapshotAsync(CheckpointRequest order) => writes.Once(order, () =>
    {
        if (session is { Writing.IsCompleted: false })
            throw new IOException($"{name} has not written the checkpoint before this one yet; see that the folder of run {order.Run} answers.");
        if (session is not { } mine || snapshot is not { } taken || taken.Order != order)
            throw new StaleOrderException($"{name} has no snapshot of step {order.Step} of run {order.Run}.");
        snapshot = null;
        Task<CheckpointResponse> written = device.RunAsideAsync(() =>
        {
            long begun = time.GetTimestamp();
            CheckpointResponse report = taken.Write();
            metrics.AddCheckpoint(order.Run, time.GetElapsedTime(begun));
            return report;
        });
        mine.Writing = written;
        return written;
    });

    public Task LeaveAsync(string run, int generation)
    {
        lock (gate)
        {
            if (session is { } mine && mine.Run == run && mine.Generation.Number <= generation)
                Evict(mine);
            return Task.CompletedTask;
        }
    }

    public WorkerStatus Status()
    {
        lock (gate)
            return new(name, device.Description, session?.Run, session?.Generation.Number ?? 0, session?.Member is null ? 0 : session.Replica!.Step, session is null ? WorkerPhase.Idle : phase)
            {
                BusySeconds = device.BusyFor.TotalSeconds,
            };
    }

    private async Task<JoinResponse> JoinAsync(WorkerSession mine, JoinRequest order)
    {
        IReplica replica = mine.Replica!;
        IReadOnlyList<string> refused = [];
        if (order.Source is { } source)
            await new StateCopy(mine, order, find(source), device).RunAsync();
        else if (order.Step is null)
            await OnDeviceAsync(() => refused = mine.Start(order.MustLoad));
        int rank = order.Workers.ToList().IndexOf(name);
        ReplicaFacts facts = replica.Facts;
        JoinResponse? report = null;
        await OnDeviceAsync(() =>
        {
            report = new(name, replica.Step, replica.SkippedInARow, facts.Parameters, facts.TrainImages, facts.TestImages, facts.Channels, facts.Size, replica.Hash(), refused)
            {
                Images = replica.Images,
            };
            lock (gate)
            {
                if (mine.Generation != order.Generation || mine.IsOver)
                    throw Left(order.Run);
                mine.Member = new(mine, order, new(new(order.Spec.Shards), order.Workers.Count, rank, replica.GradientBuckets, order.Spec.Wire, replica.NewVector, mine.Over), report);
                PeerLink.Start(
                    mine.Member.Exchange, new(order.Run, order.Generation.Number, name, order.Generation.Nonce), order.Workers, network, bytes => metrics.AddSent(order.Run, bytes),
                    mine.Member.PeerLoss.Tell, time, log, mine.Over);
            }

            phase = WorkerPhase.Waiting;
        });
        return report!;

        Task OnDeviceAsync(Action work) => device.RunAsync(() =>
        {
            if (mine.Generation != order.Generation || mine.IsOver)
                throw Left(order.Run);
            work();
        });
    }

    private async Task<StepResponse> StepAsync(GenerationMember member, StepRequest order)
    {
        IReplica replica = member.Session.Replica!;
        using Activity? span = Traces.Begin("worker step", ("run", order.Run), ("generation", order.Generation), ("step", order.Step + 1), ("worker", name));
        long ordered = time.GetTimestamp();
        StepPipeline work = WorkOn(member, order.Step);
        // Not under the gate: where all shards are there, the exchange begins with sums.
        await work.Turn.ConfigureAwait(ConfigureAwaitOptions.ForceYielding | ConfigureAwaitOptions.ContinueOnCapturedContext);
        AllReduceStep round = member.Exchange.Begin(order.Step);
        ComputedShards computed = await work.Done;
        phase = WorkerPhase.Exchanging;
        Traces.Add("compute", computed.Begun, computed.Ended, time);
        using Activity? exchanging = Traces.Begin("exchange");
        long begun = Math.Max(ordered, computed.Ended);
        if (computed.Idle is { } idle)
            metrics.AddPhase(order.Run, StepPhase.Wait, idle + time.GetElapsedTime(computed.Ended, begun));
        await member.PeerLoss.UnlessAsync(round.Reduced);
        long summed = time.GetTimestamp();
        await member.PeerLoss.UnlessAsync(round.Whole);
        IReadOnlyList<ReadOnlyMemory<float>> gradient = await round.Whole;
        metrics.AddPhase(order.Run, StepPhase.Reduce, time.GetElapsedTime(begun, summed));
        metrics.AddPhase(order.Run, StepPhase.Gather, time.GetElapsedTime(summed));
        exchanging?.Stop();
        var report = new TaskCompletionSource<StepResponse>(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = device.RunAsync(() =>
        {
            try
            {
                Apply();
                if (order.PrefetchNext)
                    WorkOn(member, order.Step + 1);
            }
            catch (Exception fault)
            {
                if (!report.TrySetException(fault))
                    member.Session.Fault = fault;
            }
        });
        return await report.Task;

        void Apply()
        {
            Check(member, order.Step);
            long begun = time.GetTimestamp();
            phase = WorkerPhase.Computing;
            // The coordinator's answer comes while the gradient is applied.
            replica.Apply(gradient, norm => report.SetResult(new(name, order.Step, computed.Losses, norm, double.IsFinite(norm) ? 0 : replica.SkippedInARow + 1)));
            phase = WorkerPhase.Waiting;
            member.Applied = time.GetTimestamp();
            metrics.AddPhase(order.Run, StepPhase.Apply, time.GetElapsedTime(begun, member.Applied.Value));
        }
    }

    /// <summary>Has the device compute this worker's shards of a step, after what it was asked for before; once, whether the order comes first or the step before goes on.</summary>
    private StepPipeline WorkOn(GenerationMember member, long step)
    {
        lock (gate)
        {
            if (member.Work is { } known && known.Step == step)
                return known;
            var work = new StepPipeline(step, device.RunAsync(() => Check(member, step)), device.RunAsync(Compute));
            // An old order that comes late is refused on the device.
            if (member.Work is null || step > member.Work.Step)
                member.Work = work;
            return work;
        }

        ComputedShards Compute()
        {
            Check(member, step);
            long begun = time.GetTimestamp();
            TimeSpan? idle = member.Applied is { } applied ? time.GetElapsedTime(applied, begun) : null;
            phase = WorkerPhase.Computing;
            double[] losses = member.Session.Replica!.ComputeShards(member.Exchange.Share, member.Exchange.Prepare(step));
            phase = WorkerPhase.Waiting;
            long end = time.GetTimestamp();
            metrics.AddPhase(member.Request.Run, StepPhase.Compute, time.GetElapsedTime(begun, end));
            return new(losses, idle, begun, end);
        }
    }

    /// <param name="call">Under which the answer is remembered for a repeated call; null for work that may be done again.</param>
    private Task<T> AtStep<T>(object? call, string run, GenerationId generation, long step, Func<IReplica, T> work, WorkerPhase during) =>
        AsMember(call, run, generation, member => device.RunAsync(() =>
        {
            Check(member, step);
            phase = during;
            T result = work(member.Session.Replica!);
            phase = WorkerPhase.Waiting;
            return result;
        }));

    private Task<T> AsMember<T>(object? call, string run, GenerationId generation, Func<GenerationMember, Task<T>> work)
    {
        lock (gate)
        {
            heard = time.GetTimestamp();
            GenerationMember member = session?.Member is { } current && current.Request.Run == run && current.Request.Generation == generation
                ? current
                : throw new StaleOrderException($"{name} is not in generation {generation} of run {run}.");
            return call is null ? work(member) : calls.Once(call, () => work(member));
        }
    }

    /// <summary>Refuses what is not for the generation, or not for the state.</summary>
    /// <param name="step">Steps that the state has applied.</param>
    private void Check(GenerationMember member, long step)
    {
        if (session?.Member != member)
            throw new StaleOrderException($"{name} has left generation {member.Request.Generation} of run {member.Request.Run}.");
        member.Session.ThrowIfBroken();
        if (member.Session.Replica!.Step != step)
            throw new InvalidOperationException($"The replica is at step {member.Session.Replica.Step} and cannot follow an order for step {step}.");
    }

    private void Evict(WorkerSession former)
    {
        former.End();
        session = null;
        snapshot = null;
        _ = device.RunAsync(former.Dispose);
    }

    private StaleOrderException Left(string run) => new($"{name} has left run {run} or this generation of it.");
}
