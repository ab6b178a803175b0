using Microsoft.Extensions.Logging;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors;

/// <summary>
/// Opens a run's generations: takes the next number by compare-and-set, asks the workers what they hold, decides where to go on, and
/// brings every worker's state there, proved by its hash.
/// </summary>
internal sealed partial class GenerationStarter(string run, RunSpec spec, RunLease lease, WorkerPool roster, RunHistory history, RunCluster cluster, StepRunner clock, Func<bool> isLeaving, Func<bool> isStopping, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100), FolderDelay = TimeSpan.FromSeconds(2);

    /// <summary>Workers that an earlier coordinator may still be commanding; null when there is none.</summary>
    private IReadOnlyList<string>? rivals = lease.Record.State == RunState.Training ? lease.Record.Workers : null;

    /// <summary>Workers that may have a state of the run: those of the newest generation that could train, and those asked since then to join.</summary>
    private string[] holders = lease.Record.Holders;

    /// <summary>The newest generation that workers had heard of; a store that has lost writes may know of older ones only.</summary>
    private int newestHeard;

    /// <summary>How the workers round that train the run.</summary>
    private string? arithmetic = lease.Record.Arithmetic;

    /// <summary>Since when no worker has answered.</summary>
    private long? silentSince;

    /// <summary>It was told that the newest checkpoint is missing.</summary>
    private bool isMissingTold;

    /// <summary>What the members reported when the newest generation began; the first is whom the others copied.</summary>
    public IReadOnlyList<JoinResponse> Reports { get; private set; } = [];

    /// <returns>Null if the wait for workers was ended.</returns>
    /// <exception cref="UserErrorException">No worker can serve the run, because of a mistake of the user's.</exception>
    /// <exception cref="WorkerFaultException">The work of every worker has failed.</exception>
    /// <exception cref="LeaseLostException">Another coordinator has taken over.</exception>
    public async Task<Generation?> StartAsync(long step)
    {
        while (true)
        {
            IReadOnlyList<string> candidates = await roster.CandidatesAsync(onWait: () => history.Add(new WorkersAwaited(step)), mayGiveUp: holders.Length > 0);
            if (isLeaving() || (candidates.Count == 0 && holders.Length == 0))
                return null;
            int number = roster.Generation = Math.Max(lease.Record.Generation, newestHeard) + 1;
            GenerationId id = new(number, Guid.NewGuid());
            string[] mayHold = holders;
            holders = [.. holders.Union(candidates)];
            await lease.WriteAsync(record => record with { Generation = number, Holders = holders });
            PrepareResponse[] holdings = await PrepareAsync(NewGeneration(id, candidates), ifHeld: false, step, mayHold);
            // The state must not go with workers that leave before another has it.
            if (holdings.All(holding => holding.Step is null))
                holdings = [.. holdings, .. await PrepareAsync(NewGeneration(id, [.. holders.Except(candidates)]), ifHeld: true, step, mayHold)];
            if (newestHeard >= number)
            {
                // A worker that refuses may have the newest state.
                await Task.Delay(RetryDelay, time);
                continue;
            }

            holdings = Admit(holdings, step);
            if (holdings.Length == 0)
            {
                silentSince ??= time.GetTimestamp();
                if (isStopping() && time.GetElapsedTime(silentSince.Value) > Timeouts.LastWrite)
                    return null;
                if (candidates.Count == 0)
                    holders = [];
                await Task.Delay(RetryDelay, time);
                continue;
            }

            silentSince = null;
            if (IsStateMissing(holdings, step))
            {
                if (isStopping())
                    return null;
                await Task.Delay(FolderDelay, time);
                continue;
            }

            await OutliveRivalsAsync(holdings);
            Generation crew = NewGeneration(id, [.. holdings.Select(holding => holding.Worker)]);
            if (!await JoinAsync(crew, holdings, step))
            {
                await Task.Delay(RetryDelay, time);
                continue;
            }

            isMissingTold = false;
            // Those who are let go now may be the last to hold a state, should all others die before they hear of it.
            await lease.WriteAsync(record => record with { Workers = [.. crew.Workers], Holders = [.. crew.Workers.Union(holders)], State = RunState.Training, Arithmetic = arithmetic });
            holders = [.. crew.Workers];
            LogOpened(log, run, number, string.Join(", ", crew.Workers), Reports[0].Step, Reports[0].StateHash);
            return crew;
        }
    }

    /// <summary>The newest generation's state is saved, and its workers are let go.</summary>
    public void ForgetHolders() => holders = [];

    /// <summary>Tells a fault, and does without the worker from now on unless it was merely lost.</summary>
    public void HandleFault(long step, WorkerFaultException fault)
    {
        if (fault.InnerException is PeerLostException)
            roster.NoteGone(fault.Worker);
        if (fault.IsLoss)
            history.Add(new FaultNoticed(step, fault.Worker, fault.Message));
        else
            roster.DeclareUnfit(fault.Worker, fault);
    }

    private Generation NewGeneration(GenerationId id, IReadOnlyList<string> workers) => new(run, id, workers, cluster, roster, () => clock.AnswerTimeout, time);

    /// <summary>
    /// What those hold who answer. Workers that cannot have a state of the run are awaited for a minute at most when another has answered: they may
    /// have a large data set to read, and come later.
    /// </summary>
    /// <param name="mayHold">Workers that may have a state.</param>
    private async Task<PrepareResponse[]> PrepareAsync(Generation crew, bool ifHeld, long step, IReadOnlyCollection<string> mayHold)
    {
        Dictionary<string, Task<PrepareResponse?>> answers = crew.Workers.ToDictionary(
            worker => worker, worker => PrepareAsync(crew, worker, ifHeld, step, mayHold.Contains(worker) ? null : Timeouts.Data));
        await Task.WhenAll(answers.Where(answer => mayHold.Contains(answer.Key)).Select(answer => answer.Value));
        for (List<Task<PrepareResponse?>> pending = [.. answers.Values]; pending.Count > 0;)
        {
            Task<PrepareResponse?> answer = await Task.WhenAny(pending);
            pending.Remove(answer);
            if (await answer is not null)
                break;
        }

        var all = Task.WhenAll(answers.Values);
        if (!all.IsCompleted)
            await Task.WhenAny(all, Task.Delay(Timeouts.Newcomer, time));
        foreach (string late in answers.Where(answer => !answer.Value.IsCompleted).Select(answer => answer.Key))
            roster.LoadData(late, spec);
        return [.. answers.Values.Where(answer => answer.IsCompleted).Select(answer => answer.Result).OfType<PrepareResponse>()];
    }

    /// <returns>Null if the worker cannot take part.</returns>
    private async Task<PrepareResponse?> PrepareAsync(Generation crew, string worker, bool ifHeld, long step, TimeSpan? timeout)
    {
        roster.Claim(worker);
        try
        {
            return await crew.AskAsync(worker, grain => grain.PrepareAsync(new(run, crew.Id, spec, ifHeld)), timeout);
        }
        catch (Exception fault) when (ifHeld && fault is (UserErrorException or WorkerFaultException { IsLoss: false }))
        {
            // It is asked for its state alone, and has none that can be used.
        }
        catch (UserErrorException mistake)
        {
            roster.DeclareUnfit(worker, mistake);
        }
        catch (WorkerFaultException fault) when (fault.IsLoss)
        {
            if (fault.InnerException is StaleOrderException stale)
                newestHeard = Math.Max(newestHeard, stale.Newest);
            // It comes again when it is back, or leaves the roster.
        }
        catch (WorkerFaultException fault)
        {
            HandleFault(step, fault);
        }

        return null;
    }

    /// <summary>
    /// Leaves out workers that round differently from those that have trained the run since it began or was resumed, or from most of those that
    /// begin it: a step would not be the same whoever did it.
    /// </summary>
    private PrepareResponse[] Admit(PrepareResponse[] holdings, long step)
    {
        if (spec.MixedWorkers || holdings.Length == 0)
            return holdings;
        string most = holdings.CountBy(holding => holding.Arithmetic).MaxBy(pair => pair.Value).Key;
        if (lease.Record.State != RunState.Training && arithmetic is not null && arithmetic != most)
        {
            history.Add(new FaultNoticed(
                step, null, "The workers round differently from those that have trained the run so far; from here on it has the bits of their kind."));
        }

        if (lease.Record.State != RunState.Training || arithmetic is null)
            arithmetic = most;
        foreach (string other in holdings.Where(holding => holding.Arithmetic != arithmetic).Select(holding => holding.Worker))
        {
            roster.DeclareUnfit(other, new UserErrorException(
                $"{other} rounds differently from the run's other workers: its processor, card or libtorch is of another kind. Train on one kind, or give --mixed-workers, and the run's bits depend on who did what."));
        }

        return [.. holdings.Where(holding => holding.Arithmetic == arithmetic)];
    }

    /// <summary>
    /// Nobody has the state that the run has saved, nor finds its checkpoint. The run must not go on from an older state without a word, as where a
    /// folder's volume is not mounted.
    /// </summary>
    private bool IsStateMissing(PrepareResponse[] holdings, long step)
    {
        if (lease.Record.SavedStep is not { } saved || holdings.Any(holding => Math.Max(holding.Step ?? 0, holding.Checkpoint ?? 0) >= saved))
            return false;
        if (!isMissingTold)
        {
            history.Add(new FaultNoticed(
                step, null, $"The checkpoint of step {saved} is not in {spec.SaveDir}. The run waits until it is there: see that the folder's volume is mounted."));
        }

        return isMissingTold = true;
    }

    /// <summary>
    /// An earlier coordinator cannot commit a step without all of its workers; if none of them has turned to this one, its lease must run out first.
    /// </summary>
    private async Task OutliveRivalsAsync(PrepareResponse[] holdings)
    {
        if (rivals is not null && !holdings.Any(holding => holding.Step is not null && rivals.Contains(holding.Worker)))
            await Task.Delay(RunLease.Duration, time);
        rivals = null;
    }

    /// <returns>False if a worker failed, so that another generation must be opened.</returns>
    private async Task<bool> JoinAsync(Generation crew, PrepareResponse[] holdings, long step)
    {
        try
        {
            Reports = await ShareStateAsync(crew, holdings);
        }
        catch (WorkerFaultException fault)
        {
            HandleFault(step, fault);
            return false;
        }

        string agreed = Reports.CountBy(report => report.StateHash).MaxBy(pair => pair.Value).Key;
        foreach (JoinResponse other in Reports.Where(report => report.StateHash != agreed))
        {
            HandleFault(other.Step, new(other.Worker, new InvalidDataException($"its state after step {other.Step} has hash {other.StateHash}, the others' {agreed}")));
        }

        return Reports.All(report => report.StateHash == agreed);
    }

    /// <summary>First the worker that has, loads or makes the state, then the others, which copy it if need be.</summary>
    private async Task<JoinResponse[]> ShareStateAsync(Generation crew, PrepareResponse[] holdings)
    {
        var plan = StatePlan.For(holdings);
        JoinResponse made = await crew.AskAsync(plan.Maker, grain => grain.JoinAsync(Order(plan.Step, source: null)));
        foreach (string refused in made.Refused)
            history.Add(new FaultNoticed(made.Step, plan.Maker, refused));
        Dictionary<string, PrepareResponse> held = holdings.ToDictionary(holding => holding.Worker);
        TimeSpan timeout = clock.AnswerTimeout;
        try
        {
            JoinResponse[] reports = await crew.AskAllAsync(
                (worker, grain) => worker == plan.Maker ? Task.FromResult(made) : grain.JoinAsync(Order(made.Step, plan.Has(held[worker]) ? null : plan.Maker)),
                timeout * 2).WaitAsync(timeout, time);
            return [made, .. reports];
        }
        catch (TimeoutException)
        {
            // Whoever copies the state waits for the worker that has it.
            throw await crew.FindStragglerAsync("joining", timeout);
        }

        JoinRequest Order(long? at, string? source) => new(run, crew.Id, crew.Workers, spec, at, source, MustLoad: lease.Record.SavedStep is not null);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Run {Run}, generation {Generation}: {Workers} go on after step {Step} with state {StateHash}")]
    private static partial void LogOpened(ILogger log, string run, int generation, string workers, long step, string stateHash);
}
