using Microsoft.Extensions.Logging;
using Orleans.GrainDirectory;
using Orleans.Storage;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors;

/// <summary>The runs that a cluster knows, in the cluster's store.</summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties)]
public sealed record RunRegister
{
    /// <summary>The oldest first.</summary>
    public RegisteredRun[] Runs { get; init; } = [];
}

/// <param name="Workers">Allotted to the run; none when it has ended.</param>
[GenerateSerializer]
public sealed record RegisteredRun(string Run, string SaveDir, int Wanted, string[] Workers, bool IsOver);

/// <summary>The list of runs, and who works for which.</summary>
[GrainDirectory(StoreNames.Directory)]
public sealed partial class ClusterGrain(
    [PersistentState("cluster", StoreNames.Storage)] IPersistentState<RunRegister> stored, ClusterWorkers cluster, AllowedFolders folders, RunMetrics metrics, TimeProvider time, ILogger<ClusterGrain> log)
    : Grain, IClusterGrain
{
    /// <summary>Ended runs that are remembered.</summary>
    private const int MostEnded = 100;

    /// <summary>Runs that train or wait.</summary>
    private const int MostRuns = 100;

    private const int LongestName = 100;

    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(3);

    private readonly HashSet<string> retired = [];
    private bool isStored = true;

    private RegisteredRun[] Runs => stored.State.Runs;

    private bool IsFull => Runs.Count(other => !other.IsOver) >= MostRuns;

    public async Task<long> SubmitAsync(string run, RunSpec spec)
    {
        spec.Check();
        if (run.Length is 0 or > LongestName || run.Any(c => char.IsControl(c) || c == '/'))
            throw new UserErrorException($"The run's name, the last part of --save-dir, has to have 1 to {LongestName} characters, none of them / or a control character; name another folder.");
        // What ended may not be noted yet.
        if (IsFull || RivalOf(spec) is not null)
            await TendAsync();
        CheckRoom();
        if (RivalOf(spec) is { } rival)
            throw new UserErrorException($"Run {rival.Run} writes to {spec.SaveDir}; give another --save-dir.");
        if (await FolderWork.DoAsync(spec.SaveDir, () => HoldsCheckpoint(spec), time) && spec.LoadParams is null)
            throw new UserErrorException($"--save-dir {spec.SaveDir} holds the checkpoints of another run; add --load-params to continue it, or name another folder.");
        if (Runs.Any(other => other.Run == run))
            throw new UserErrorException($"Run {run} exists already; give another --save-dir.");
        await FolderWork.DoAsync(spec.SaveDir, () => TryFolder(spec.SaveDir), time);
        // Listed first: a run that nobody knows would never get a worker, whereas a name without a run is dropped when it is looked after.
        await StoreAsync([.. Runs, new(run, spec.SaveDir, Math.Min(spec.Workers, spec.Shards), [], IsOver: false)]);
        long position = await TrainingRun(run).BeginAsync(spec);
        await TendAsync();
        return position;
    }

    public async Task<long> ResumeAsync(string run)
    {
        if (IsFull)
            await TendAsync();
        CheckRoom();
        RunOverview overview = await TrainingRun(run).OverviewAsync();
        long position = await TrainingRun(run).GoOnAsync();
        await StoreAsync([.. Runs.Where(other => other.Run != run), new(run, overview.SaveDir, overview.WorkersWanted, [], IsOver: false)]);
        await TendAsync();
        return position;
    }

    public async Task<IReadOnlyList<RunOverview>> RunsAsync()
    {
        RunOverview?[] overviews = await Task.WhenAll(Runs.Reverse().Select(run => OverviewAsync(run.Run)));
        return [.. overviews.OfType<RunOverview>()];
    }

    public async Task<IReadOnlyList<WorkerStatus>> WorkersAsync() => [.. await Task.WhenAll(cluster.Active().Select(async worker =>
    {
        string? run = Runs.FirstOrDefault(run => run.Workers.Contains(worker))?.Run;
        try
        {
            WorkerStatus status = await cluster.Find(worker).StatusAsync().WaitAsync(AnswerPatience, time);
            return status with { Run = status.Run ?? run };
        }
        catch (Exception fault) when (fault is TimeoutException or OrleansException)
        {
            return new WorkerStatus(worker, "", run, 0, 0, WorkerPhase.Unreachable);
        }
    }))];

    public async Task TendAsync()
    {
        IReadOnlyList<string> active = cluster.Trainers();
        retired.IntersectWith(active);
        (RegisteredRun Run, IReadOnlyList<string> Unfit)?[] known = await Task.WhenAll(Runs.Select(NoteStateAsync));
        (RegisteredRun Run, IReadOnlyList<string> Unfit)[] told = [.. known.OfType<(RegisteredRun, IReadOnlyList<string>)>()];
        RegisteredRun[] tended = [.. told.Select(one => one.Run)];
        IReadOnlyList<Claim> claims = Allotment.Share(
            [.. active.Except(retired)],
            [.. told.Where(one => !one.Run.IsOver).Select(one => new Claim(one.Run.Run, one.Run.Wanted, one.Run.Workers, one.Unfit))]);
        foreach (Claim claim in claims)
            TrainingRun(claim.Run).AllotAsync(claim.Workers, claim.Unfit).Ignore();
        metrics.Spare = active.Except(retired).Except(claims.SelectMany(claim => claim.Workers)).Count();
        await StoreAsync([.. tended.Select(run => run with { Workers = [.. claims.FirstOrDefault(claim => claim.Run == run.Run)?.Workers ?? []] })]);
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        metrics.Spare = null;
        return Task.CompletedTask;
    }

    public Task RetireAsync(string worker)
    {
        retired.Add(worker);
        return TendAsync();
    }

    private void CheckRoom()
    {
        if (IsFull)
            throw new UserErrorException($"{MostRuns} runs train or wait already; wait until one ends, or stop one with the command stop.");
    }

    /// <summary>The run that writes where this one is to, if it is not noted that it ended.</summary>
    private RegisteredRun? RivalOf(RunSpec spec) => Runs.FirstOrDefault(other => !other.IsOver && Path.GetFullPath(other.SaveDir) == Path.GetFullPath(spec.SaveDir));

    private bool HoldsCheckpoint(RunSpec spec)
    {
        folders.Check(spec);
        return CheckpointHeader.Newest(spec.SaveDir) is not null;
    }

    /// <summary>Sees before the run is taken in that it will be able to save.</summary>
    private static DirectoryInfo TryFolder(string folder)
    {
        try
        {
            DirectoryInfo made = Directory.CreateDirectory(folder);
            File.Create(Path.Combine(folder, $".{Guid.NewGuid():N}"), 1, FileOptions.DeleteOnClose).Dispose();
            return made;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"--save-dir {folder} cannot be written to ({fault.Message.TrimEnd('.')}); mend the silos' volume or its rights, or name another folder.", fault);
        }
    }

    private ITrainingRunGrain TrainingRun(string run) => GrainFactory.GetGrain<ITrainingRunGrain>(run);

    /// <returns>The run with its state as it is now, and the workers that it does without; null if it is only a name.</returns>
    private async Task<(RegisteredRun Run, IReadOnlyList<string> Unfit)?> NoteStateAsync(RegisteredRun run)
    {
        if (run.IsOver)
            return (run, []);
        try
        {
            return await OverviewAsync(run.Run) is { } overview ? (run with { IsOver = overview.State.IsOver() }, overview.Unfit) : (run, []);
        }
        catch (UserErrorException)
        {
            return null;
        }
    }

    /// <returns>Null if the run does not answer; others are not to suffer for it.</returns>
    private async Task<RunOverview?> OverviewAsync(string run)
    {
        try
        {
            return await TrainingRun(run).OverviewAsync().WaitAsync(AnswerPatience, time);
        }
        catch (Exception fault) when (fault is not UserErrorException)
        {
            LogNoAnswer(log, fault, run);
            return null;
        }
    }

    /// <summary>A store that does not answer is no reason to let runs go without workers: what is kept here goes on.</summary>
    private async Task StoreAsync(IReadOnlyList<RegisteredRun> runs)
    {
        RegisteredRun[] kept = [.. runs.Except(runs.Where(run => run.IsOver).SkipLast(MostEnded))];
        if (isStored && kept.Length == Runs.Length && kept.Zip(Runs).All(pair => Same(pair.First, pair.Second)))
            return;
        stored.State = new() { Runs = kept };
        isStored = false;
        try
        {
            await stored.WriteStateAsync();
            isStored = true;
        }
        catch (Exception fault) when (fault is not InconsistentStateException)
        {
            LogNotStored(log, fault);
        }

        static bool Same(RegisteredRun one, RegisteredRun other) => one.Run == other.Run && one.IsOver == other.IsOver && one.Workers.SequenceEqual(other.Workers);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Run {Run} does not answer")]
    private static partial void LogNoAnswer(ILogger log, Exception fault, string run);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The list of runs could not be stored")]
    private static partial void LogNotStored(ILogger log, Exception fault);
}
