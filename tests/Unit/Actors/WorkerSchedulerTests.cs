using Microsoft.Extensions.Logging.Abstractions;
using PixelCnnCluster.Actors.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Unit.Tests.Simulation;

namespace PixelCnnCluster.Unit.Tests.Actors;

/// <summary>The list of runs and the sharing of workers, with runs that answer late or never.</summary>
public sealed class WorkerSchedulerTests : IRunRegisterStore
{
    private readonly World _world = new(1);
    private readonly Dictionary<string, PretendedRun> _runs = [];
    private readonly Dictionary<string, string> _processes = new() { ["worker-0"] = "1", ["worker-1"] = "1" };
    private readonly WorkerScheduler _scheduler;
    private RunRegister _stored = new();

    public WorkerSchedulerTests() => _scheduler = new(
        this, new(run => _runs[run], () => [.. _processes.Keys.Order()], _processes.GetValueOrDefault), _ => { },
        _world.ClockOf(() => true), NullLogger.Instance);

    RunRegister IRunRegisterStore.Register { get; set; } = new();

    async Task IRunRegisterStore.ReadAsync()
    {
        RunRegister read = _stored;
        await _world.Delay(TimeSpan.FromMilliseconds(20));
        ((IRunRegisterStore)this).Register = read;
    }

    async Task IRunRegisterStore.WriteAsync()
    {
        await _world.Delay(TimeSpan.FromMilliseconds(1));
        _stored = ((IRunRegisterStore)this).Register;
    }

    [Fact]
    public void A_run_that_never_answers_holds_nobody_up() => Run(async () =>
    {
        await BeginAsync("silent");
        _runs["silent"].IsSilent = true;
        Task[] callers = [.. Enumerable.Range(0, 12).Select(_ => _scheduler.ReconcileAsync())];
        TimeSpan asked = _world.Elapsed;

        await BeginAsync("mine");
        await Task.WhenAll(callers);
        Assert.InRange(_world.Elapsed - asked, TimeSpan.Zero, TimeSpan.FromSeconds(5));

        // It is not waited for again until it has answered.
        asked = _world.Elapsed;
        await _scheduler.ReconcileAsync();
        Assert.InRange(_world.Elapsed - asked, TimeSpan.Zero, TimeSpan.FromSeconds(1));
        Assert.Equal(["worker-1"], _runs["mine"].Workers);
    });

    [Fact]
    public void All_who_ask_meanwhile_share_the_next_reconciliation() => Run(async () =>
    {
        await BeginAsync("mine");
        int before = _runs["mine"].Asked;

        await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => _scheduler.ReconcileAsync()));

        Assert.Equal(2, _runs["mine"].Asked - before);
    });

    /// <summary>Its answer was lost, and the caller was told of a failure.</summary>
    [Fact]
    public void A_run_that_went_on_without_a_word_gets_its_workers() => Run(async () =>
    {
        await BeginAsync("mine");
        _runs["mine"].State = RunState.Stopped;
        await _scheduler.ReconcileAsync();
        Assert.True(_scheduler.Runs.Single().IsOver);
        _runs["mine"].Workers = [];

        await Assert.ThrowsAsync<TimeoutException>(() => _scheduler.BeginAsync(new("mine", "/runs/mine", 1, [], IsOver: false), () =>
        {
            _runs["mine"].State = RunState.Queued;
            throw new TimeoutException();
        }));
        await _scheduler.ReconcileAsync();

        Assert.False(_scheduler.Runs.Single().IsOver);
        Assert.Equal(["worker-0"], _runs["mine"].Workers);
    });

    [Fact]
    public void A_run_that_is_only_a_name_is_dropped_but_not_while_it_begins() => Run(async () =>
    {
        var begins = new TaskCompletionSource<long>();
        _runs["mine"] = new(_world) { IsUnknown = true };
        Task<long> beginning = _scheduler.BeginAsync(new("mine", "/runs/mine", 1, [], IsOver: false), () => begins.Task);
        await _scheduler.ReconcileAsync();
        Assert.Single(_scheduler.Runs);

        begins.SetException(new UserErrorException("no"));
        await Assert.ThrowsAsync<UserErrorException>(() => beginning);
        await _scheduler.ReconcileAsync();

        Assert.Empty(_scheduler.Runs);
    });

    [Fact]
    public void A_list_that_is_read_again_while_a_run_begins_keeps_the_run() => Run(async () =>
    {
        Task reading = _scheduler.ReconcileAsync();
        await BeginAsync("mine");
        await reading;
        await _scheduler.ReconcileAsync();

        Assert.Equal("mine", _scheduler.Runs.Single().Run);
        Assert.Equal(["worker-0"], _runs["mine"].Workers);
    });

    /// <summary>As when the store is empty for a moment.</summary>
    [Fact]
    public void A_run_that_is_unknown_for_a_while_stays_on_the_list() => Run(async () =>
    {
        await BeginAsync("mine");
        _runs["mine"].IsUnknown = true;
        for (int i = 0; i < 3; i++)
            await _scheduler.ReconcileAsync();

        Assert.Equal("mine", _scheduler.Runs.Single().Run);
    });

    [Fact]
    public void A_worker_is_drained_by_its_process_and_not_its_name() => Run(async () =>
    {
        await BeginAsync("mine");
        Assert.Equal(["worker-0"], _runs["mine"].Workers);

        await _scheduler.DrainAsync("worker-0", "1");
        Assert.Equal(["worker-1"], _runs["mine"].Workers);

        _processes["worker-0"] = "2";
        _processes.Remove("worker-1");
        // Of the process before, as one that has waited in a queue.
        await _scheduler.DrainAsync("worker-0", "1");
        Assert.Equal(["worker-0"], _runs["mine"].Workers);
    });

    [Fact]
    public void Unfit_workers_are_for_other_runs() => Run(async () =>
    {
        await BeginAsync("mine");
        _runs["mine"].Unfit = ["worker-0"];
        await _scheduler.ReconcileAsync();
        await BeginAsync("other");
        Assert.Equal(["worker-1"], _runs["mine"].Workers);
        Assert.Equal(["worker-0"], _runs["mine"].PassedOver);
        Assert.Equal(["worker-0"], _runs["other"].Workers);
    });

    private void Run(Func<Task> work) => _world.Run(
        async () =>
        {
            await work();
            return true;
        },
        TimeSpan.FromMinutes(1),
        awaited: "end of the test");

    private async Task BeginAsync(string run)
    {
        _runs[run] = new(_world);
        await _scheduler.BeginAsync(new(run, $"/runs/{run}", 1, [], IsOver: false), () => Task.FromResult(0L));
        await _scheduler.ReconcileAsync();
        await _world.Delay(TimeSpan.FromMilliseconds(1));
    }

    private sealed class PretendedRun(World world) : ITrainingRunGrain
    {
        public RunState State { get; set; } = RunState.Training;

        public IReadOnlyList<string> Workers { get; set; } = [];

        public IReadOnlyList<string> PassedOver { get; private set; } = [];

        public IReadOnlyList<string> Unfit { get; set; } = [];

        public bool IsSilent { get; set; }

        public bool IsUnknown { get; set; }

        public int Asked { get; private set; }

        public Task AssignWorkersAsync(IReadOnlyList<string> workers, IReadOnlyList<string> unfit)
        {
            (Workers, PassedOver) = (workers, unfit);
            return Task.CompletedTask;
        }

        public async Task<RunOverview> OverviewAsync()
        {
            Asked++;
            await world.Delay(TimeSpan.FromMilliseconds(10));
            if (IsSilent)
                await new TaskCompletionSource().Task;
            return IsUnknown
                ? throw new UserErrorException("There is no such run.")
                : new()
                {
                    Run = "",
                    State = State,
                    DataSet = DataSet.Digits,
                    SaveDir = "",
                    Submitted = default,
                    Step = 0,
                    Workers = Workers,
                    WorkersWanted = 1,
                    Generation = 1,
                    Unfit = Unfit,
                };
        }

        public Task<long> BeginAsync(RunSpec spec) => throw new NotSupportedException();

        public Task<long> ContinueAsync() => throw new NotSupportedException();

        public Task<RunProgress> ReadAsync(long from) => throw new NotSupportedException();

        public Task<SamplesWritten?> SamplesAsync() => throw new NotSupportedException();

        public Task<string> CheckpointAsync() => throw new NotSupportedException();

        public Task StopAsync() => throw new NotSupportedException();
    }
}
