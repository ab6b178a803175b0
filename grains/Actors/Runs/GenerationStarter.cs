using Microsoft.Extensions.Logging;
using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>
/// Opens a run's generations: takes the next number by compare-and-set, asks the workers what they hold, decides where to go on, and
/// brings every worker's state there, proved by its hash.
/// </summary>
/// <param name="isLeaving">This coordinator ends, and the run does not.</param>
/// <param name="isStopping">The run is told to stop.</param>
internal sealed partial class GenerationStarter(
    RunContext run, WorkerPool pool, StepRunner steps, Func<bool> isLeaving, Func<bool> isStopping)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100), FolderDelay = TimeSpan.FromSeconds(2);

    /// <summary>Workers that an earlier coordinator may still be commanding; null when there is none.</summary>
    private IReadOnlyList<string>? _rivals = run.Lease.Record.State == RunState.Training ? run.Lease.Record.Workers : null;

    /// <summary>
    /// Workers that may have a state of the run: those of the newest generation that could train, and those asked since then to join.
    /// </summary>
    private string[] _holders = run.Lease.Record.Holders;

    /// <summary>The newest generation that workers had heard of; a store that has lost writes may know of older ones only.</summary>
    private int _newestHeard;

    private readonly WorkerAdmission _admission = new(run, pool);

    /// <summary>Since when no worker has answered.</summary>
    private long? _silentSince;

    /// <summary>It was told that the newest checkpoint is missing.</summary>
    private bool _isMissingTold;

    /// <param name="lostBefore">Those lost since a step was committed: see <see cref="RunRecord.Lost"/>.</param>
    /// <param name="isLoss">Whoever is not there any more was lost, and has not left.</param>
    /// <returns>Null if the wait for workers was ended.</returns>
    /// <exception cref="UserErrorException">No worker can serve the run, because of a mistake of the user's.</exception>
    /// <exception cref="WorkerFaultException">The work of every worker has failed.</exception>
    /// <exception cref="LeaseLostException">Another coordinator has taken over.</exception>
    public async Task<Generation?> StartAsync(long step, IReadOnlyList<string> lostBefore, bool isLoss)
    {
        while (true)
        {
            IReadOnlyList<string> candidates = await pool.CandidatesAsync(
                onWait: () => run.History.Add(new WorkersAwaited(step)), mayGiveUp: _holders.Length > 0,
                mayWait: run.Lease.Record.State == RunState.Training && step > 0);
            if (isLeaving() || (candidates.Count == 0 && _holders.Length == 0))
                return null;
            int number = pool.Generation = Math.Max(run.Lease.Record.Generation, _newestHeard) + 1;
            GenerationId id = new(number, Guid.NewGuid());
            string[] mayHold = _holders;
            _holders = [.. _holders.Union(candidates)];
            await run.Lease.WriteAsync(record => record with { Generation = number, Holders = _holders });
            PrepareResponse[] responses = await PrepareAsync(NewGeneration(id, candidates), ifHeld: false, step, mayHold);
            // The state must not go with workers that leave before another has it.
            if (responses.All(response => response.Step is null))
                responses = [.. responses,
                    .. await PrepareAsync(NewGeneration(id, [.. _holders.Except(candidates)]), ifHeld: true, step, mayHold)];
            if (_newestHeard >= number)
            {
                // A worker that refuses may have the newest state.
                await Task.Delay(RetryDelay, run.Time);
                continue;
            }

            responses = _admission.Admit(responses, step);
            if (responses.Length == 0)
            {
                _silentSince ??= run.Time.GetTimestamp();
                if (isStopping() && run.Time.GetElapsedTime(_silentSince.Value) > run.Timeouts.LastWrite)
                    return null;
                if (candidates.Count == 0)
                    _holders = [];
                await Task.Delay(RetryDelay, run.Time);
                continue;
            }

            _silentSince = null;
            if (IsStateMissing(responses, step))
            {
                if (isStopping())
                    return null;
                await Task.Delay(FolderDelay, run.Time);
                continue;
            }

            await OutliveRivalsAsync(responses);
            string[] holders = [.. responses.Where(response => response.Step is not null).Select(response => response.Worker)];
            Generation generation = NewGeneration(id, [.. responses.Select(response => response.Worker)]);
            if (!await JoinAsync(generation, responses, step))
            {
                await Task.Delay(RetryDelay, run.Time);
                continue;
            }

            _isMissingTold = false;
            string[] lost = isLoss
                ? [.. run.Lease.Record.Workers.Where(worker => !pool.IsUnfit(worker) && !holders.Contains(worker))]
                : [];
            // Workers that are let go now may be the last that hold a state, if all others die before they hear of it.
            await run.Lease.WriteAsync(
                record =>
                    record with
                    {
                        Workers = [.. generation.Workers],
                        Holders = [.. generation.Workers.Union(_holders)],
                        State = RunState.Training,
                        Lost = [.. lostBefore, .. lost],
                        Arithmetic = _admission.Arithmetic,
                        Data = _admission.Data,
                    });
            _holders = [.. generation.Workers];
            LogOpened(run.Log, run.Name, number, string.Join(", ", generation.Workers), generation.Facts.Step, generation.Facts.StateHash);
            return generation;
        }
    }

    /// <summary>The newest generation's state is saved, and its workers are let go.</summary>
    public void ForgetHolders() => _holders = [];

    /// <summary>Tells a fault, and does without the worker from now on unless it was merely lost.</summary>
    public void HandleFault(long step, WorkerFaultException fault)
    {
        if (fault.InnerException is PeerLostException)
            pool.NoteGone(fault.Worker);
        if (fault.IsLoss)
            run.History.Add(new FaultNoticed(step, fault.Worker, fault.Message));
        else
            pool.DeclareUnfit(fault.Worker, fault);
    }

    private Generation NewGeneration(GenerationId id, IReadOnlyList<string> workers) =>
        new(run.Name, id, workers, pool, () => steps.AnswerTimeout, run.Time);

    /// <summary>
    /// What those hold who answer. Workers that cannot have a state of the run are awaited for a minute at most when another has answered:
    /// they may have a large data set to read, and come later.
    /// </summary>
    /// <param name="mayHold">Workers that may have a state.</param>
    private async Task<PrepareResponse[]> PrepareAsync(Generation generation, bool ifHeld, long step, IReadOnlyCollection<string> mayHold)
    {
        var answers = generation.Workers.ToDictionary(
            worker => worker,
            worker => PrepareAsync(generation, worker, ifHeld, step, mayHold.Contains(worker) ? null : run.Timeouts.Data));
        await Task.WhenAll(answers.Where(answer => mayHold.Contains(answer.Key)).Select(answer => answer.Value));
        for (List<Task<PrepareResponse?>> pending = [.. answers.Values]; pending.Count > 0;)
        {
            Task<PrepareResponse?> answer = await Task.WhenAny(pending);
            pending.Remove(answer);
            if (await answer is not null)
                break;
        }

        Task<PrepareResponse?[]> all = Task.WhenAll(answers.Values);
        if (!all.IsCompleted)
            await Task.WhenAny(all, Task.Delay(run.Timeouts.Newcomer, run.Time));
        foreach (string late in answers.Where(answer => !answer.Value.IsCompleted).Select(answer => answer.Key))
            pool.LoadData(late, run.Spec);
        return [.. answers.Values.Where(answer => answer.IsCompleted).Select(answer => answer.Result).OfType<PrepareResponse>()];
    }

    /// <returns>Null if the worker cannot take part.</returns>
    private async Task<PrepareResponse?> PrepareAsync(Generation generation, string worker, bool ifHeld, long step, TimeSpan? timeout)
    {
        pool.Claim(worker);
        try
        {
            return await generation.AskAsync(worker, grain => grain.PrepareAsync(new(run.Name, generation.Id, run.Spec, ifHeld)), timeout);
        }
        catch (Exception fault) when (ifHeld && fault is (UserErrorException or WorkerFaultException { IsLoss: false }))
        {
            // It is asked for its state alone, and has none that can be used.
        }
        catch (UserErrorException mistake)
        {
            pool.DeclareUnfit(worker, mistake);
        }
        catch (WorkerFaultException fault) when (fault.IsLoss)
        {
            if (fault.InnerException is StaleOrderException stale)
                _newestHeard = Math.Max(_newestHeard, stale.Newest);
            // It comes again when it is back, or leaves the pool of workers.
        }
        catch (WorkerFaultException fault)
        {
            HandleFault(step, fault);
        }

        return null;
    }

    /// <summary>
    /// Nobody has the state that the run has saved, nor finds its checkpoint. The run must not go on from an older state without a word, as
    /// where a folder's volume is not mounted.
    /// </summary>
    private bool IsStateMissing(PrepareResponse[] responses, long step)
    {
        if (run.Lease.Record.SavedStep is not { } saved
            || responses.Any(response => Math.Max(response.Step ?? 0, response.Checkpoint ?? 0) >= saved))
            return false;
        if (!_isMissingTold)
        {
            run.History.Add(new FaultNoticed(
                step, null,
                $"The checkpoint of step {saved} is not in {run.Spec.Output.SaveDir}. The run waits until it is there: see that the " +
                $"folder's volume is mounted."));
        }

        return _isMissingTold = true;
    }

    /// <summary>
    /// An earlier coordinator cannot commit a step without all of its workers; if none of them has turned to this one, its lease must run
    /// out first.
    /// </summary>
    private async Task OutliveRivalsAsync(PrepareResponse[] responses)
    {
        if (_rivals is not null && !responses.Any(response => response.Step is not null && _rivals.Contains(response.Worker)))
            await Task.Delay(RunLease.Duration, run.Time);
        _rivals = null;
    }

    /// <returns>False if a worker failed, so that another generation must be opened.</returns>
    private async Task<bool> JoinAsync(Generation generation, PrepareResponse[] prepared, long step)
    {
        JoinResponse[] joined;
        try
        {
            joined = await ShareStateAsync(generation, prepared);
        }
        catch (WorkerFaultException fault)
        {
            HandleFault(step, fault);
            return false;
        }

        string agreed = joined.CountBy(response => response.StateHash).MaxBy(pair => pair.Value).Key;
        foreach (JoinResponse other in joined.Where(response => response.StateHash != agreed))
        {
            HandleFault(
                other.Step,
                new(
                    other.Worker,
                    new InvalidDataException($"its state after step {other.Step} has hash {other.StateHash}, the others' {agreed}")));
        }

        // The others have copied the first one's state.
        generation.Begin(joined[0], run.Spec);
        return joined.All(response => response.StateHash == agreed);
    }

    /// <summary>First the worker that has, loads or makes the state, then the others, which copy it if need be.</summary>
    private async Task<JoinResponse[]> ShareStateAsync(Generation generation, PrepareResponse[] prepared)
    {
        var plan = StatePlan.For(prepared);
        JoinResponse made = await generation.AskAsync(plan.Maker, grain => grain.JoinAsync(Order(plan.Step, source: null)));
        foreach (string refused in made.Refused)
            run.History.Add(new FaultNoticed(made.Step, plan.Maker, refused));
        Dictionary<string, PrepareResponse> held = prepared.ToDictionary(response => response.Worker);
        TimeSpan timeout = steps.AnswerTimeout;
        try
        {
            JoinResponse[] responses = await generation.AskAllAsync(
                (worker, grain) => worker == plan.Maker ? Task.FromResult(made)
                    : grain.JoinAsync(Order(made.Step, plan.Has(held[worker]) ? null : plan.Maker)),
                timeout * 2).WaitAsync(timeout, run.Time);
            return [made, .. responses];
        }
        catch (TimeoutException)
        {
            // Whoever copies the state waits for the worker that has it.
            throw await StragglerDetector.FindAsync(generation, "joining", timeout, run.Time);
        }

        JoinRequest Order(long? at, string? source) => new()
        {
            Run = run.Name,
            Generation = generation.Id,
            Workers = generation.Workers,
            Spec = run.Spec,
            Step = at,
            Source = source,
            MustLoad = run.Lease.Record.SavedStep is not null,
        };
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Run {Run}, generation {Generation}: {Workers} go on after step {Step} with state {StateHash}")]
    private static partial void LogOpened(ILogger log, string run, int generation, string workers, long step, string stateHash);
}
