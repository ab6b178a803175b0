using Microsoft.Extensions.Logging;
using Orleans.GrainDirectory;
using Orleans.Storage;
using PixelCnnCluster.Actors.Cluster;
using PixelCnnCluster.Actors.Telemetry;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Training.History;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>
/// One run: its record in the cluster's store, its history, and, until it has ended, its <see cref="RunCoordinator"/>. Comes back on
/// another silo when its own is lost.
/// </summary>
[GrainDirectory(StoreNames.Directory)]
public sealed partial class TrainingRunGrain(
    [PersistentState("run", StoreNames.Storage)] IPersistentState<RunRecord> stored, ClusterWorkers cluster, AllowedFolders folders,
    RunMetrics metrics, TimeProvider time, ILogger<TrainingRunGrain> log)
    : Grain, ITrainingRunGrain, IRunStore
{
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(1), LeaveTimeout = TimeSpan.FromSeconds(20),
        SaveTimeout = TimeSpan.FromSeconds(8), FlushTimeout = TimeSpan.FromSeconds(5);

    private Task<RunHistory>? _history;
    private RunCoordinator? _coordinator;
    private Task _training = Task.CompletedTask;
    private IReadOnlyList<string> _assigned = [], _unfit = [];
    private bool _isBeginning, _isEnding;

    /// <summary>As it was stored last.</summary>
    public RunRecord Record { get; private set; } = new();

    private string Run => this.GetPrimaryKeyString();

    private IClusterGrain Cluster => GrainFactory.GetGrain<IClusterGrain>(0);

    private RunSpec Spec => Record.Spec ?? throw Unknown();

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        Record = stored.State;
        if (Record is not { Spec: not null, IsOver: false })
            return Task.CompletedTask;
        DelayDeactivation(Timeout.InfiniteTimeSpan);
        _ = StartAgainAsync();
        return Task.CompletedTask;
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _isEnding = true;
        _coordinator?.Leave();
        await Task.WhenAny(_training, Task.Delay(LeaveTimeout, time, cancellationToken));
        // A folder that does not answer does not delay the silo's stop.
        if (_history is { IsCompletedSuccessfully: true })
            await Task.WhenAny(_history.Result.FlushAsync(), Task.Delay(FlushTimeout, time, cancellationToken));
    }

    public async Task<long> BeginAsync(RunSpec spec)
    {
        _isBeginning = true;
        try
        {
            spec.Check();
            if (RunName.Mistake(Run) is { } mistake)
                throw new UserErrorException(mistake);
            await CheckFoldersAsync(spec);
            if (Record.Spec is not null)
                throw new UserErrorException($"Run {Run} exists already; give another --save-dir.");
            RunHistory events = await OpenHistoryAsync(spec);
            await WriteAsync(new() { Spec = spec, Submitted = time.GetUtcNow() });
            return Start(events);
        }
        catch
        {
            // Another try may name another folder.
            _history = null;
            throw;
        }
        finally
        {
            _isBeginning = false;
        }
    }

    public async Task<long> ContinueAsync()
    {
        _ = Spec;
        if (!Record.IsOver)
            throw new UserErrorException($"Run {Run} has not ended; the command watch shows it.");
        if (Record.State == RunState.Completed)
            throw new UserErrorException(
                $"Run {Run} is complete; train further with --load-params {Spec.Output.SaveDir} and a higher --max-epochs or --max-steps.");
        await CheckFoldersAsync(Spec);
        // Until the coordinator before has ended altogether: it would take its successor for itself.
        await _training;
        RunHistory events = await OpenHistoryAsync(Spec);
        await WriteAsync(Record with { State = RunState.Queued, IsStopping = false, Error = null });
        return Start(events);
    }

    public Task AssignWorkersAsync(IReadOnlyList<string> workers, IReadOnlyList<string> unfit)
    {
        (_assigned, _unfit) = (workers, unfit);
        _coordinator?.AssignWorkers(workers, unfit);
        return Task.CompletedTask;
    }

    public Task<RunOverview> OverviewAsync() => Task.FromResult(new RunOverview
    {
        Run = Run,
        State = Record.State,
        DataSet = Spec.Data.DataSet,
        SaveDir = Spec.Output.SaveDir,
        Submitted = Record.Submitted,
        Step = Record.Step,
        TotalSteps = Record.TotalSteps,
        BitsPerDim = Record.BitsPerDim,
        TestBitsPerDim = Record.TestBitsPerDim,
        Workers = Record.Workers,
        WorkersWanted = Spec.Compute.Workers,
        Generation = Record.Generation,
        Error = Record.Error,
        Unfit = _coordinator?.Unfit ?? [],
    });

    public async Task<RunProgress> ReadAsync(long from)
    {
        _ = Spec;
        return await (await OpenHistoryAsync(Spec)).ReadAsync(from, ReadTimeout, over: () => Record.IsOver);
    }

    public async Task<SamplesWritten?> SamplesAsync()
    {
        _ = Spec;
        return (await OpenHistoryAsync(Spec)).Last<SamplesWritten>();
    }

    public async Task<string> CheckpointAsync()
    {
        RunSpec spec = Spec;
        CheckpointSaved? saved = null;
        if (_coordinator is not null)
        {
            Task<CheckpointSaved?> asked = _coordinator.SaveAsync();
            if (await Task.WhenAny(asked, _training, Task.Delay(SaveTimeout, time)) == asked)
                saved = await asked;
        }

        return await FolderWork.DoAsync(spec.Output.SaveDir, () => Held(saved?.Path) ?? CheckpointHeader.Newest(spec.Output.SaveDir), time)
            ?? throw new UserErrorException($"Run {Run} has no checkpoint yet; try again when it has trained for a while.");

        static string? Held(string? path)
        {
            if (path is not null)
                CheckpointFolder.Hold(path);
            return path;
        }
    }

    public Task StopAsync()
    {
        _ = Spec;
        return Record.IsOver ? throw new UserErrorException($"Run {Run} has ended already.")
            : _coordinator?.StopAsync() ?? throw new OrleansException($"Run {Run} is between two coordinators.");
    }

    /// <summary>Compare-and-set: the store refuses if someone else has written since this activation read or wrote the record.</summary>
    public async Task WriteAsync(RunRecord record)
    {
        stored.State = record;
        try
        {
            await stored.WriteStateAsync();
            Record = record;
        }
        catch (Exception fault)
        {
            // With what it has read, this activation can write no more.
            if (fault is InconsistentStateException && _coordinator is null)
                DeactivateOnIdle();
            // Storage providers' own exceptions mean nothing to consoles, which lack their types.
            throw fault is InconsistentStateException
                ? new LeaseLostException($"The record of run {Run} was written by another coordinator.", fault)
                : new IOException($"The record of run {Run} could not be stored: {fault.Message}");
        }
    }

    /// <summary>
    /// Positions are times: they grow from one activation to the next, of whose events the files may lack some that readers have seen.
    /// </summary>
    private Task<RunHistory> HistoryAsync(RunSpec spec) =>
        _history ??= RunHistory.OpenAsync(
            spec.Output.SaveDir, firstPosition: time.GetUtcNow().Ticks, time, fault => LogNotKept(log, fault, Run));

    /// <exception cref="UserErrorException">The run's folder does not answer.</exception>
    private Task<RunHistory> OpenHistoryAsync(RunSpec spec) => FolderWork.AwaitAsync(spec.Output.SaveDir, HistoryAsync(spec), time);

    /// <summary>Goes on with the run as soon as its folder answers, however long that takes; the activation does not wait for it.</summary>
    private async Task StartAgainAsync()
    {
        RunSpec spec = Spec;
        try
        {
            await Task.Run(() => folders.Check(spec));
        }
        catch (UserErrorException mistake)
        {
            await FailAsync(mistake.Message);
            return;
        }

        RunHistory events = await HistoryAsync(spec);
        if (!_isEnding)
            Start(events);
    }

    private async Task FailAsync(string error)
    {
        try
        {
            await WriteAsync(Record with { State = RunState.Failed, Error = error });
            DelayDeactivation(TimeSpan.Zero);
        }
        catch (Exception fault) when (fault is IOException or LeaseLostException)
        {
            // The next activation tries again.
            DeactivateOnIdle();
        }
    }

    private Task CheckFoldersAsync(RunSpec spec) => FolderWork.DoAsync(spec.Output.SaveDir, () => folders.Check(spec), time);

    /// <summary>
    /// The next call reads the record again: the store may have been empty for a moment. A run that is about to begin stays, whoever asks
    /// for it too early.
    /// </summary>
    private UserErrorException Unknown()
    {
        if (!_isBeginning)
            DeactivateOnIdle();
        return new($"There is no run named {Run}; the command runs lists them.");
    }

    /// <returns>Position of the first event from now on.</returns>
    private long Start(RunHistory events)
    {
        DelayDeactivation(Timeout.InfiniteTimeSpan);
        metrics.Follow(Run, Spec, events.Last<Evaluated>());
        events.Added = happened => metrics.Add(Run, happened, time.GetUtcNow());
        RunCluster view = new(cluster.Find, cluster.ProcessOf, () => Cluster.ReconcileAsync().Ignore()) { Timeouts = cluster.Timeouts };
        _coordinator = new(Run, this, events, view, time, log);
        _coordinator.AssignWorkers(_assigned, _unfit);
        long position = events.Next;
        _training = TrainAsync(_coordinator);
        return position;
    }

    private async Task TrainAsync(RunCoordinator coordinator)
    {
        RunEnded? ended = await coordinator.RunAsync();
        (_coordinator, _assigned) = (null, []);
        metrics.Forget(Run);
        if (ended is null)
        {
            DeactivateOnIdle();
            return;
        }

        DelayDeactivation(TimeSpan.Zero);
        // Its workers are for the next run.
        Cluster.ReconcileAsync().Ignore();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Run {Run}: the history could not be written; trying again with the next event")]
    private static partial void LogNotKept(ILogger log, Exception fault, string run);
}
