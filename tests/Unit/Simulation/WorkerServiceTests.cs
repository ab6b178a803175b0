using Microsoft.Extensions.Logging.Abstractions;
using PixelCnnCluster.Actors.Telemetry;
using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Devices;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>A worker alone in its generation, whose replica breaks when the test wants it to.</summary>
public sealed class WorkerServiceTests : IDisposable
{
    private static readonly RunSpec Spec = Presets.Quick with { Optimiser = Presets.Quick.Optimiser with { Shards = 2, BatchSize = 4 } };

    private static readonly GenerationId First = new(1, Guid.Empty), Second = new(2, Guid.Empty);

    private readonly DeviceThreads _threads = new(1);
    private readonly Replicas _replicas = new();
    private readonly WorkerService _worker;

    public WorkerServiceTests() => _worker = new(
        "worker-0", _threads, _replicas, new(_ => throw new NotSupportedException(), new NoNetwork(), NullLogger.Instance),
        new(new(Meters.Name)), TimeProvider.System);

    public void Dispose() => _threads.Dispose();

    [Fact]
    public async Task A_gradient_is_applied_without_another_order()
    {
        await JoinAsync();
        await _worker.StepAsync(new("run", First, 0));
        Assert.Equal(1, (await PrepareAsync(generation: 2)).Step);
    }

    /// <summary>Whoever may call the grain may send it anything.</summary>
    [Fact]
    public async Task A_generation_that_cannot_be_and_too_many_bytes_are_refused_where_they_arrive()
    {
        await PrepareAsync(generation: 1);
        JoinRequest right = Join(First, step: null);
        JoinRequest[] wrong =
        [
            right with { Workers = ["other"] }, right with { Workers = ["worker-0", "worker-0"] }, right with { Step = -1 },
            right with { Workers = ["worker-0", .. Enumerable.Range(0, 4096).Select(i => $"{i}")] },
        ];
        Assert.All(wrong, request => Assert.Throws<ArgumentException>(() => { _ = _worker.JoinAsync(request); }));
        RunSpec vast = Spec with { Optimiser = Spec.Optimiser with { Shards = int.MaxValue } };
        Assert.Throws<UserErrorException>(() => { _ = _worker.JoinAsync(right with { Spec = vast }); });

        await _worker.JoinAsync(right);

        Assert.All(
            [int.MaxValue, (1 << 20) + 1, 0, -1],
            length => Assert.Throws<ArgumentException>(() => { _ = _worker.ReadStateAsync(new("run", First, 0, 0, length)); }));
    }

    [Fact]
    public async Task The_shards_of_a_step_that_is_sure_to_come_are_computed_before_its_order()
    {
        await JoinAsync();
        string[] reference = SimulatedReplica.Reference(Spec, 2);
        Assert.Equal(reference[1], await StepAndGoOnAsync(0));
        Assert.Equal(2, _replicas.Newest!.Computed);
        await _worker.StepAsync(new("run", First, 1));
        Assert.Equal(reference[2], await _worker.HashAsync(new("run", First, 2)));
        Assert.Equal(2, _replicas.Newest.Computed);
    }

    [Fact]
    public async Task A_late_order_of_an_earlier_step_leaves_what_was_computed_ahead()
    {
        await JoinAsync();
        await StepAndGoOnAsync(0);
        await StepAndGoOnAsync(1);
        // It is not the one that was given, whose answer is remembered.
        await Assert.ThrowsAsync<InvalidOperationException>(() => _worker.StepAsync(new("run", First, 0)));
        await _worker.StepAsync(new("run", First, 2));
        Assert.Equal(SimulatedReplica.Reference(Spec, 3)[3], await _worker.HashAsync(new("run", First, 3)));
        Assert.Equal(3, _replicas.Newest!.Computed);
    }

    [Fact]
    public async Task What_was_computed_ahead_ends_with_the_generation()
    {
        await JoinAsync();
        await StepAndGoOnAsync(0);
        Assert.Equal(1, (await PrepareAsync(generation: 2)).Step);
        await _worker.JoinAsync(Join(Second, step: 1));
        await _worker.StepAsync(new("run", Second, 1));
        Assert.Equal(SimulatedReplica.Reference(Spec, 2)[2], await _worker.HashAsync(new("run", Second, 2)));
        Assert.Equal(3, _replicas.Newest!.Computed);
    }

    [Fact]
    public async Task An_order_for_another_state_is_refused()
    {
        await JoinAsync();
        await _worker.StepAsync(new("run", First, 0));
        string hash = await _worker.HashAsync(new("run", First, 1));
        foreach (long step in new long[] { 0, 2, 3 })
            await Assert.ThrowsAsync<InvalidOperationException>(() => _worker.HashAsync(new("run", First, step)));
        foreach (long step in new long[] { 2, 3 })
            await Assert.ThrowsAsync<InvalidOperationException>(() => _worker.StepAsync(new("run", First, step)));
        await _worker.SnapshotAsync(new("run", First, 1, null));
        Assert.Equal(hash, (await _worker.WriteSnapshotAsync(new("run", First, 1, null))).StateHash);
        Assert.Equal(1, (await _worker.StepAsync(new("run", First, 1))).Step);
    }

    [Fact]
    public async Task A_worker_whose_gradient_was_reported_and_cannot_be_applied_serves_the_run_no_more()
    {
        await JoinAsync();
        await _worker.StepAsync(new("run", First, 0));
        await _worker.HashAsync(new("run", First, 1));
        _replicas.Breaks = true;
        Assert.Equal(1, (await _worker.StepAsync(new("run", First, 1))).Step);
        foreach (Func<Task> next in new Func<Task>[] { () => _worker.HashAsync(new("run", First, 2)),
            () => _worker.StepAsync(new("run", First, 2)), () => PrepareAsync(generation: 2) })
            Assert.Equal("broken", (await Assert.ThrowsAsync<IOException>(next)).Message);
        _replicas.Breaks = false;
        await _worker.LeaveAsync("run", 2);
        Assert.Null((await PrepareAsync(generation: 3)).Step);
    }

    [Fact]
    public async Task A_device_that_hangs_while_a_gradient_is_applied_counts_as_computing()
    {
        await JoinAsync();
        var applying = new TaskCompletionSource<WorkerPhase>(TaskCreationOptions.RunContinuationsAsynchronously);
        _replicas.Changed = () => applying.TrySetResult(_worker.Status().Phase);
        await _worker.StepAsync(new("run", First, 0));
        Assert.Equal(WorkerPhase.Computing, await applying.Task);
    }

    /// <summary>As when the store has lost what it had acknowledged, so that a number is given twice.</summary>
    [Fact]
    public async Task Another_opening_of_a_generation_that_the_worker_knows_is_refused_with_its_number()
    {
        await JoinAsync();
        GenerationId again = new(1, Guid.NewGuid());

        StaleOrderException refusal = await Assert.ThrowsAsync<StaleOrderException>(
            () => _worker.PrepareAsync(new("run", again, Spec, OnlyIfServing: false)));

        Assert.Equal(1, refusal.Newest);
        await Assert.ThrowsAsync<StaleOrderException>(
            () => _worker.JoinAsync(Join(again, step: 0)));
        await Assert.ThrowsAsync<StaleOrderException>(() => _worker.StepAsync(new("run", again, 0)));
        Assert.Null(_worker.ExchangeFor(new("run", 1, "worker-1", again.Nonce)));
        Assert.Equal(0, (await _worker.StepAsync(new("run", First, 0))).Step);
    }

    [Fact]
    public async Task A_worker_that_has_joined_keeps_its_exchange_however_late_the_order_comes_again()
    {
        await JoinAsync();
        GradientExchange exchange = _worker.ExchangeFor(new("run", 1, "worker-1", Guid.Empty))!;
        // More answers than are remembered.
        for (int step = 0; step < 20; step++)
            await _worker.StepAsync(new("run", First, step));

        JoinResponse again = await _worker.JoinAsync(Join(First, step: null));

        Assert.Equal(0, again.Step);
        Assert.Same(exchange, _worker.ExchangeFor(new("run", 1, "worker-1", Guid.Empty)));
        Assert.Equal(20, (await _worker.StepAsync(new("run", First, 20))).Step);
    }

    /// <returns>The state's hash after the step, when the shards of the next are computed.</returns>
    private async Task<string> StepAndGoOnAsync(long step)
    {
        await _worker.StepAsync(new("run", First, step, PrefetchNext: true));
        // Comes after the step's end, which asks for the next shards; what is asked for then comes after those.
        string hash = await _worker.HashAsync(new("run", First, step + 1));
        await _worker.SnapshotAsync(new("run", First, step + 1, null));
        return hash;
    }

    private Task<PrepareResponse> PrepareAsync(int generation) =>
        _worker.PrepareAsync(new("run", new(generation, Guid.Empty), Spec, OnlyIfServing: false));

    private async Task JoinAsync()
    {
        await PrepareAsync(generation: 1);
        await _worker.JoinAsync(Join(First, step: null));
    }

    private static JoinRequest Join(GenerationId generation, long? step) => new()
    {
        Run = "run",
        Generation = generation,
        Workers = ["worker-0"],
        Spec = Spec,
        Step = step,
        Source = null,
        MustLoad = false,
    };

    private sealed class Replicas : IReplicaSource
    {
        public bool Breaks { get; set; }

        public Action Changed { get; set; } = () => { };

        public void Load(RunSpec spec) { }

        public string Arithmetic(RunSpec spec) => "";

        public long? AddScore(string checkpoint, double testBitsPerDim) => null;

        public long? NewestCheckpoint(RunSpec spec) => null;

        public SimulatedReplica? Newest { get; private set; }

        public IReplica Build(RunSpec spec) => Newest = new SimulatedReplica(new SimulatedDisk(), _ =>
        {
            Changed();
            if (Breaks)
                throw new IOException("broken");
        });
    }

    private sealed class NoNetwork : IPeerNetwork
    {
        public Task<IPeerConnection> ConnectAsync(string worker, PeerGreeting greeting, CancellationToken cancel) =>
            throw new NotSupportedException();

        public Task<bool> IsGoneAsync(string worker, CancellationToken cancel) => throw new NotSupportedException();
    }
}
