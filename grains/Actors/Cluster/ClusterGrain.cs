using Microsoft.Extensions.Logging;
using Orleans.GrainDirectory;
using PixelCnnCluster.Actors.Telemetry;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.History;

namespace PixelCnnCluster.Actors.Cluster;

/// <summary>The runs that a cluster knows, in the cluster's store.</summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties)]
public sealed record RunRegister
{
    /// <summary>The oldest first.</summary>
    public RegisteredRun[] Runs { get; init; } = [];
}

/// <param name="Workers">Assigned to the run; none when it has ended.</param>
[GenerateSerializer]
public sealed record RegisteredRun(string Run, string SaveDir, int Wanted, string[] Workers, bool IsOver);

/// <summary>The list of runs, and who works for which.</summary>
[GrainDirectory(StoreNames.Directory)]
public sealed class ClusterGrain : Grain, IClusterGrain, IRunRegisterStore
{
    /// <summary>Runs that train or wait.</summary>
    private const int MostRuns = 100;

    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(3);

    private readonly IPersistentState<RunRegister> _stored;
    private readonly ClusterWorkers _cluster;
    private readonly AllowedFolders _folders;
    private readonly RunMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly WorkerScheduler _scheduler;

    public ClusterGrain(
        [PersistentState("cluster", StoreNames.Storage)] IPersistentState<RunRegister> stored, ClusterWorkers cluster,
        AllowedFolders folders, RunMetrics metrics,
        TimeProvider time, ILogger<ClusterGrain> log)
    {
        _stored = stored;
        _cluster = cluster;
        _folders = folders;
        _metrics = metrics;
        _time = time;
        _scheduler = new(this, new(TrainingRun, cluster.Trainers, cluster.ProcessOf), spare => metrics.Spare = spare, time, log);
    }

    RunRegister IRunRegisterStore.Register
    {
        get => _stored.State;
        set => _stored.State = value;
    }

    private IReadOnlyList<RegisteredRun> Runs => _scheduler.Runs;

    private bool IsFull => Runs.Count(other => !other.IsOver) >= MostRuns;

    Task IRunRegisterStore.ReadAsync() => _stored.ReadStateAsync();

    Task IRunRegisterStore.WriteAsync() => _stored.WriteStateAsync();

    public async Task<long> SubmitAsync(string run, RunSpec spec)
    {
        spec.Check();
        if (RunName.Mistake(run) is { } mistake)
            throw new UserErrorException(mistake);
        // What ended may not be noted yet.
        if (IsFull || RivalOf(spec) is not null)
            await _scheduler.ReconcileAsync();
        CheckRoom();
        if (RivalOf(spec) is { } rival)
            throw new UserErrorException($"Run {rival.Run} writes to {spec.Output.SaveDir}; give another --save-dir.");
        if (await FolderWork.DoAsync(spec.Output.SaveDir, () => HoldsCheckpoint(spec), _time) && spec.Output.LoadParams is null)
            throw new UserErrorException(
                $"--save-dir {spec.Output.SaveDir} holds the checkpoints of another run; add --load-params to continue it, or name " +
                $"another " +
                $"folder.");
        if (Runs.Any(other => other.Run == run))
            throw new UserErrorException($"Run {run} exists already; give another --save-dir.");
        await FolderWork.DoAsync(spec.Output.SaveDir, () => MakeFolder(spec.Output.SaveDir), _time);
        long position = await _scheduler.BeginAsync(
            new(run, spec.Output.SaveDir, Math.Min(spec.Compute.Workers, spec.Optimiser.Shards), [], IsOver: false),
            () => TrainingRun(run).BeginAsync(spec));
        await _scheduler.ReconcileAsync();
        return position;
    }

    public async Task<long> ResumeAsync(string run)
    {
        if (IsFull)
            await _scheduler.ReconcileAsync();
        CheckRoom();
        RunOverview overview = await TrainingRun(run).OverviewAsync();
        // The run itself says why it does not go on.
        if (overview.State is not (RunState.Stopped or RunState.Failed))
            return await TrainingRun(run).ContinueAsync();
        long position = await _scheduler.BeginAsync(
            new(run, overview.SaveDir, overview.WorkersWanted, [], IsOver: false), () => TrainingRun(run).ContinueAsync());
        await _scheduler.ReconcileAsync();
        return position;
    }

    public async Task<IReadOnlyList<RunOverview>> RunsAsync()
    {
        RunOverview?[] overviews = await Task.WhenAll(Runs.Reverse().Select(run => OverviewAsync(run.Run)));
        return [.. overviews.OfType<RunOverview>()];
    }

    public async Task<IReadOnlyList<WorkerStatus>> WorkersAsync() => [.. await Task.WhenAll(_cluster.Active().Select(async worker =>
    {
        string? run = Runs.FirstOrDefault(run => run.Workers.Contains(worker))?.Run;
        try
        {
            WorkerStatus status = await _cluster.Find(worker).StatusAsync().WaitAsync(AnswerTimeout, _time);
            return status with { Run = status.Run ?? run };
        }
        catch (Exception fault) when (fault is TimeoutException or OrleansException)
        {
            return new WorkerStatus(worker, "", run, 0, 0, WorkerPhase.Unreachable);
        }
    }))];

    public Task ReconcileAsync() => _scheduler.ReconcileAsync();

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _metrics.Spare = null;
        return Task.CompletedTask;
    }

    public Task DrainAsync(string worker, string process) => _scheduler.DrainAsync(worker, process);

    private void CheckRoom()
    {
        if (IsFull)
            throw new UserErrorException($"{MostRuns} runs train or wait already; wait until one ends, or stop one with the command stop.");
    }

    /// <summary>The run that writes where this one is to, if it is not noted that it ended.</summary>
    private RegisteredRun? RivalOf(RunSpec spec) =>
        Runs.FirstOrDefault(other => !other.IsOver && Path.GetFullPath(other.SaveDir) == Path.GetFullPath(spec.Output.SaveDir));

    private bool HoldsCheckpoint(RunSpec spec)
    {
        _folders.Check(spec);
        return CheckpointHeader.NewestFirst(spec.Output.SaveDir) is [_, ..];
    }

    /// <summary>Sees before the run is taken in that it will be able to save.</summary>
    private static void MakeFolder(string folder)
    {
        try
        {
            RunFolder.Make(folder);
            File.Create(Path.Combine(folder, $".{Guid.NewGuid():N}"), 1, FileOptions.DeleteOnClose).Dispose();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(
                $"--save-dir {folder} cannot be written to ({fault.Message.TrimEnd('.')}); mend the silos' volume or its rights, or name " +
                $"another folder.", fault);
        }
    }

    private ITrainingRunGrain TrainingRun(string run) => GrainFactory.GetGrain<ITrainingRunGrain>(run);

    /// <returns>Null if the run does not answer, or is only about to begin; the others are shown all the same.</returns>
    private async Task<RunOverview?> OverviewAsync(string run)
    {
        try
        {
            return await TrainingRun(run).OverviewAsync().WaitAsync(AnswerTimeout, _time);
        }
        catch (Exception)
        {
            return null;
        }
    }
}
