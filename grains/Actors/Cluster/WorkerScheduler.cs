using Microsoft.Extensions.Logging;
using Orleans.Storage;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Cluster;

/// <summary>What the scheduler sees of the cluster.</summary>
/// <param name="Run">The grain of a run.</param>
/// <param name="Trainers">Names of the workers that train.</param>
/// <param name="ProcessOf">Identity of the process that has a worker's name; null while the cluster has none.</param>
internal sealed record SchedulerCluster(
    Func<string, ITrainingRunGrain> Run, Func<IReadOnlyList<string>> Trainers, Func<string, string?> ProcessOf);

/// <summary>Where the list of runs is kept.</summary>
internal interface IRunRegisterStore
{
    RunRegister Register { get; set; }

    /// <summary>Reads the register again.</summary>
    Task ReadAsync();

    /// <summary>Stores the register.</summary>
    Task WriteAsync();
}

/// <summary>
/// Keeps the list of runs and shares the workers out to them, for all callers at once. A run that does not answer holds nobody up.
/// Used from one grain's turns only.
/// </summary>
internal sealed partial class WorkerScheduler
{
    /// <summary>Ended runs that are remembered.</summary>
    private const int MostEnded = 100;

    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(3);

    private readonly IRunRegisterStore _store;
    private readonly SchedulerCluster _cluster;
    private readonly Action<int> _onSpare;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly Coalesced _reconciliation;
    private readonly Dictionary<string, Look> _looks = [];
    private readonly HashSet<string> _beginning = [];
    private readonly HashSet<(string Worker, string Process)> _drained = [];
    private Task _newestChange = Task.CompletedTask;
    private bool _isStored = true;

    /// <param name="onSpare">Told how many workers no run has.</param>
    public WorkerScheduler(IRunRegisterStore store, SchedulerCluster cluster, Action<int> onSpare, TimeProvider time, ILogger log)
    {
        _store = store;
        _cluster = cluster;
        _onSpare = onSpare;
        _time = time;
        _log = log;
        _reconciliation = new(ReconcileNowAsync);
    }

    /// <summary>The oldest first.</summary>
    public IReadOnlyList<RegisteredRun> Runs => _store.Register.Runs;

    /// <summary>Notes which runs have ended and shares the workers out anew; one such work at a time, for all who ask.</summary>
    public Task ReconcileAsync() => _reconciliation.RunAsync();

    /// <summary>Takes a worker from its run for good. A later process of that name is another worker.</summary>
    public Task DrainAsync(string worker, string process)
    {
        _drained.Add((worker, process));
        return ReconcileAsync();
    }

    /// <summary>Lists a run as the newest and begins it, or lets it go on.</summary>
    /// <param name="begin">May fail: then the run is in whatever state it says.</param>
    public async Task<long> BeginAsync(RegisteredRun run, Func<Task<long>> begin)
    {
        _beginning.Add(run.Run);
        try
        {
            // Listed first: a run that nobody knows would never get a worker, whereas a name without a run is dropped when it is looked
            // after.
            await ChangeAsync(() => [.. Runs.Where(other => other.Run != run.Run), run]);
            return await begin();
        }
        finally
        {
            // What was heard of it before is out of date.
            _looks.Remove(run.Run);
            _beginning.Remove(run.Run);
        }
    }

    private async Task ReconcileNowAsync()
    {
        // A store that was empty when the list was read may have been filled again.
        if (Runs.Count == 0)
            await (_newestChange = ReadAfterAsync(_newestChange));
        await Task.WhenAll(Runs.Where(run => !run.IsOver).Select(LookAsync));
        await ChangeAsync(() =>
        {
            _drained.RemoveWhere(one => _cluster.ProcessOf(one.Worker) != one.Process);
            string[] workers = [.. _cluster.Trainers().Except(_drained.Select(one => one.Worker))];
            RegisteredRun[] runs = [.. Runs.Where(run => !IsGone(run)).Select(run => run with { IsOver = run.IsOver || HasEnded(run) })];
            IReadOnlyList<RunDemand> demands = WorkerAssignment.Share(
                workers,
                [.. runs.Where(run => !run.IsOver).Select(
                    run => new RunDemand(run.Run, run.Wanted, run.Workers, Newest(run)?.Unfit ?? []))]);
            foreach (RunDemand demand in demands)
                _cluster.Run(demand.Run).AssignWorkersAsync(demand.Workers, demand.Unfit).Ignore();
            _onSpare(workers.Except(demands.SelectMany(demand => demand.Workers)).Count());
            return [.. runs.Select(
                run => run with { Workers = [.. demands.FirstOrDefault(demand => demand.Run == run.Run)?.Workers ?? []] })];
        });
    }

    /// <summary>Asks a run how it is. One that has not answered since it was asked is not waited for again.</summary>
    private async Task LookAsync(RegisteredRun run)
    {
        if (_looks.TryGetValue(run.Run, out Look? look) && !look.Done.IsCompleted)
            return;
        look = new() { Before = look?.Overview ?? look?.Before };
        _looks[run.Run] = look;
        look.Done = AskAsync(run.Run, look);
        await Task.WhenAny(look.Done, Task.Delay(AnswerTimeout, _time));
    }

    private async Task AskAsync(string run, Look look)
    {
        try
        {
            look.Overview = await _cluster.Run(run).OverviewAsync();
        }
        catch (UserErrorException)
        {
            look.IsGone = true;
        }
        catch (Exception fault)
        {
            LogNoAnswer(_log, fault, run);
        }
    }

    private RunOverview? Newest(RegisteredRun run) =>
        !_beginning.Contains(run.Run) && _looks.TryGetValue(run.Run, out Look? look) ? look.Overview ?? look.Before : null;

    private bool HasEnded(RegisteredRun run) => Newest(run) is { } overview && overview.State.IsOver();

    /// <summary>It is only a name, and was never more: a store that comes back empty takes no run off the list.</summary>
    private bool IsGone(RegisteredRun run) =>
        !run.IsOver && !_beginning.Contains(run.Run) && _looks.TryGetValue(run.Run, out Look? look)
            && look is { IsGone: true, Before: null };

    private async Task ReadAfterAsync(Task before)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        if (Runs.Count == 0)
            await _store.ReadAsync();
    }

    /// <summary>
    /// Changes the register, one change after another. A store that does not answer is no reason to let runs go without workers: what is
    /// kept here goes on.
    /// </summary>
    private Task ChangeAsync(Func<RegisteredRun[]> change) => _newestChange = ChangeAfterAsync(_newestChange, change);

    private async Task ChangeAfterAsync(Task before, Func<RegisteredRun[]> change)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        try
        {
            RegisteredRun[] runs = change();
            RegisteredRun[] kept = [.. runs.Except(runs.Where(run => run.IsOver).SkipLast(MostEnded))];
            if (_isStored && kept.Length == Runs.Count && kept.Zip(Runs).All(pair => Same(pair.First, pair.Second)))
                return;
            _store.Register = new() { Runs = kept };
            _isStored = false;
            await _store.WriteAsync();
            _isStored = true;
        }
        catch (Exception fault) when (fault is not InconsistentStateException)
        {
            LogNotStored(_log, fault);
        }

        static bool Same(RegisteredRun one, RegisteredRun other) =>
            one.Run == other.Run && one.IsOver == other.IsOver && one.Workers.SequenceEqual(other.Workers);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Run {Run} does not answer")]
    private static partial void LogNoAnswer(ILogger log, Exception fault, string run);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The list of runs could not be stored")]
    private static partial void LogNotStored(ILogger log, Exception fault);

    /// <summary>One question to a run, and what came of it.</summary>
    private sealed class Look
    {
        public Task Done { get; set; } = Task.CompletedTask;

        public RunOverview? Overview { get; set; }

        /// <summary>The newest answer to the questions before.</summary>
        public RunOverview? Before { get; init; }

        public bool IsGone { get; set; }
    }
}
