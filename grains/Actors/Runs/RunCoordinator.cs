using System.Diagnostics;
using Microsoft.Extensions.Logging;
using PixelCnnCluster.Actors.Telemetry;
using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.History;
using PixelCnnCluster.Training.State;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>
/// Trains one run, whoever comes and goes: orders step after step, and between steps has the workers score, save and draw. When one of them
/// is lost, or another is to be had, the next generation goes on with the uncommitted step. Called from one scheduler's turns only.
/// </summary>
internal sealed partial class RunCoordinator
{
    private static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(1), StopTimeout = TimeSpan.FromSeconds(10);

    private readonly string _run;
    private readonly RunSpec _spec;
    private readonly RunLease _lease;
    private readonly WorkerPool _pool;
    private readonly RunHistory _history;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly GenerationStarter _starter;
    private readonly StepRunner _clock;
    private readonly Upkeep _upkeep;
    private double _seconds;
    private long? _since;
    private bool _stopping, _leaving;
    private long _firstStep;
    private long _step;
    private long? _totalSteps;
    private double? _bitsPerDim;
    private int _skippedInARow;
    private readonly SaveRequest _saveRequest = new();

    public RunCoordinator(string run, IRunStore store, RunHistory history, RunCluster cluster, TimeProvider time, ILogger log)
    {
        (_run, _history, _time, _log) = (run, history, time, log);
        _spec = store.Record.Spec ?? throw new ArgumentException("The run was not submitted.", nameof(store));
        (_firstStep, _step, _seconds) = (store.Record.FirstStep, store.Record.Step, store.Record.Seconds);
        _lease = new(store, time, log);
        _pool = new(cluster, time, OnUnfit);
        _pool.NoteKnown(store.Record.Workers);
        _clock = new(time);
        _starter = new(run, _spec, _lease, _pool, history, cluster, _clock, () => _leaving, () => _stopping, time, log);
        _upkeep = new(run, _spec, history, _lease, time);
        if (store.Record.IsStopping)
            Stop();

        void OnUnfit(string worker, Exception fault)
        {
            history.Add(new FaultNoticed(_step, worker, fault.Message));
            cluster.Reconcile();
        }
    }

    /// <summary>Workers that the run does without, because their work failed. They may serve others.</summary>
    public IReadOnlyList<string> Unfit => _pool.Unfit;

    private bool IsFinished => _stopping || _step >= _totalSteps || _skippedInARow >= _spec.MaxSkipped || Seconds / 60 >= _spec.MaxMinutes;

    /// <summary>Of training, in all generations.</summary>
    private double Seconds => _seconds + (_since is { } at ? _time.GetElapsedTime(at).TotalSeconds : 0);

    /// <summary>Says which workers the run has from now on.</summary>
    /// <param name="unfit">Those that were passed over, as <see cref="Unfit"/> had told.</param>
    public void AssignWorkers(IReadOnlyList<string> workers, IReadOnlyList<string> unfit) => _pool.Assign(workers, unfit);

    /// <summary>Ends the run after the step in progress, with a checkpoint.</summary>
    /// <returns>Completes when the wish is stored, so that it outlives this coordinator.</returns>
    public async Task StopAsync()
    {
        await _lease.WriteAsync(record => record with { IsStopping = true });
        Stop();
    }

    /// <summary>Saves after the step in progress.</summary>
    /// <returns>The checkpoint, once written; null if it could not be.</returns>
    public Task<CheckpointSaved?> SaveAsync() => _saveRequest.AskAsync();

    /// <summary>Ends the coordinator, not the run, after the step in progress: one on another silo goes on.</summary>
    public void Leave()
    {
        _leaving = true;
        _pool.Close(after: TimeSpan.Zero);
    }

    /// <summary>A run that has trained may have workers with a state to save, of whom this coordinator is yet to hear.</summary>
    private void Stop()
    {
        _stopping = true;
        _pool.Close(after: _lease.Record.State == RunState.Training ? StopTimeout : TimeSpan.Zero);
    }

    /// <returns>The run's end; null if this coordinator's came first, because it left or another has taken over.</returns>
    public async Task<RunEnded?> RunAsync()
    {
        // Whoever began the run would have all of it in one trace; each step is one of its own.
        Activity.Current = null;
        using var over = new CancellationTokenSource();
        Task beating = HeartbeatAsync(over.Token);
        try
        {
            return await TrainAsync();
        }
        catch (LeaseLostException)
        {
            LogSuperseded(_log, _run, _step);
            return null;
        }
        finally
        {
            _pool.Forget();
            _ = _saveRequest.AnswerAsync(Task.FromResult<CheckpointSaved?>(null));
            over.Cancel();
            await beating;
        }
    }

    /// <summary>The training loop over generations.</summary>
    private async Task<RunEnded?> TrainAsync()
    {
        bool goesOn = _lease.Record.State == RunState.Training;
        (GenerationCause Kind, string Text) cause = goesOn ? (GenerationCause.TakenOver, "another coordinator took over")
            : (GenerationCause.Begun, "the run begins");
        RunEnded ended;
        while (true)
        {
            if (_leaving)
                return null;
            try
            {
                long begun = _time.GetTimestamp();
                if (await _starter.StartAsync(_step) is not { } generation)
                {
                    if (_leaving)
                        continue;
                    ended = End(RunOutcome.Stopped, saved: null, error: null);
                    break;
                }

                _pool.ReleaseAllBut(_run, generation.Number, but: generation.Workers);
                JoinResponse facts = _starter.Reports[0];
                var order = new DataOrder(facts.TrainImages, _spec.BatchSize, _spec.Shards, _spec.Seed, facts.Step, facts.Images);
                _totalSteps = Math.Min(_spec.MaxSteps ?? long.MaxValue, order.StepsFor(_spec.MaxEpochs));
                if (!goesOn)
                {
                    _history.Add(new RunStarted(
                        _run, _spec, facts.Parameters, facts.TrainImages, facts.TestImages, facts.Channels, facts.Size, facts.Step,
                        (double)facts.TrainImages / _spec.ImagesPerStep, _totalSteps.Value));
                    _firstStep = _step = facts.Step;
                }

                goesOn = true;
                _history.Add(new GenerationOpened(
                    facts.Step, generation.Number, generation.Workers, _spec.Workers, cause.Text, _clock.Regroup(_step, facts.Step),
                    _time.GetElapsedTime(begun).TotalSeconds, cause.Kind));
                (_step, _skippedInARow) = (facts.Step, facts.SkippedInARow);
                _since = _time.GetTimestamp();
                await TrainAsync(generation, facts, order);
                if (_leaving)
                    continue;
                CheckpointSaved saved = await _upkeep.FinishAsync(generation, facts, order, _step, inHaste: _stopping);
                ended = _skippedInARow >= _spec.MaxSkipped
                    ? End(RunOutcome.Failed, saved, $"The gradient was not finite in {_skippedInARow} steps in a row; the state of the " +
                        $"last good step is saved. Lower --learning-rate.")
                    : End(_stopping ? RunOutcome.Stopped : RunOutcome.Completed, saved, error: null);
                break;
            }
            catch (RegroupException regroup)
            {
                cause = (regroup.Cause, regroup.Message);
            }
            catch (WorkerFaultException fault) when (!_pool.IsUnfit(fault.Worker))
            {
                cause = fault.IsLoss ? (GenerationCause.WorkerLost, $"{fault.Worker} was lost")
                    : (GenerationCause.WorkerFailed, $"the work of {fault.Worker} failed");
                LogFault(_log, fault, _run, _step, fault.Worker);
                _starter.HandleFault(_step, fault);
            }
            catch (Exception fault) when (fault is not LeaseLostException)
            {
                LogFailed(_log, fault, _run, _step);
                ended = End(RunOutcome.Failed, saved: null, fault.Message) with { UserError = fault is UserErrorException };
                break;
            }
            finally
            {
                (_seconds, _since) = (Seconds, null);
            }
        }

        _history.Add(ended);
        await _lease.WriteAsync(record => Progress(record) with
        {
            Workers = [],
            Error = ended.Error,
            State = ended.Outcome switch
            {
                RunOutcome.Completed => RunState.Completed,
                RunOutcome.Stopped => RunState.Stopped,
                _ => RunState.Failed
            },
        });
        _pool.ReleaseAllBut(_run, _lease.Record.Generation, but: []);
        LogEnded(_log, _run, _step, ended.Outcome, ended.StateHash);
        return ended;
    }

    /// <summary>The steps of one generation: returns when the run is finished or this coordinator is to leave.</summary>
    private async Task TrainAsync(Generation generation, JoinResponse facts, DataOrder order)
    {
        // What was due after the newest step may have been cut short by the end of the generation before.
        if (_step > _firstStep)
            await _upkeep.AfterStepAsync(generation, facts, order, _step, InHaste);
        // A worker that leaves is not made to wait for the last score.
        while (!_leaving && !(IsFinished && (_stopping || generation.IsComplete)))
        {
            if (_pool.ReasonToRegroup(generation.Workers, _spec) is { } reason)
            {
                // Who leaves is let go when the next generation has the state. If nobody who has it stays, it must be saved first: who
                // comes may have data to read.
                if (_step > 0 && !generation.Workers.Any(_pool.IsFit))
                    await _upkeep.SaveWholeAsync(generation, _step, Timeouts.Write);
                if (!_pool.HasFit)
                {
                    _pool.ReleaseAllBut(_run, generation.Number, but: []);
                    _starter.ForgetHolders();
                }

                throw reason;
            }

            if (_saveRequest.IsPending && _step > 0)
            {
                _clock.Interrupt();
                Task saving = _upkeep.SaveAsync(generation, _step, InHaste);
                _ = _saveRequest.AnswerAsync(WrittenAsync(saving, _step));
                await saving;
            }

            await ConfirmLeaseAsync();
            await StepAsync(generation, facts, order);
            await _upkeep.AfterStepAsync(generation, facts, order, _step, InHaste);
            if (Upkeep.IsDueAfter(order, _step))
                LogEpoch(
                    _log, _run, generation.Number, _step, order.WholeEpochsAfter(_step), _bitsPerDim, _upkeep.Score?.TestBitsPerDim,
                    _clock.StepsPerSecond * _spec.ImagesPerStep, generation.Workers.Count);
        }

        async Task<CheckpointSaved?> WrittenAsync(Task saving, long step)
        {
            await saving;
            return await _upkeep.WrittenAsync(step);
        }

        bool InHaste() => _stopping || _leaving || !generation.IsComplete;
    }

    private async Task StepAsync(Generation generation, JoinResponse facts, DataOrder order)
    {
        using Activity? span = Traces.Begin("step", ("run", _run), ("generation", generation.Number), ("step", _step + 1));
        StepResponse[] responses = await _clock.RunAsync(
            generation, _step, goesOn: _step + 1 < _totalSteps && !Upkeep.IsDueAfter(order, _step + 1));
        // Whoever has taken over meanwhile commits in this one's place.
        await ConfirmLeaseAsync();
        double loss = responses.SelectMany(response => response.ShardLosses).Sum() / _spec.ImagesPerStep;
        double norm = responses[0].GradientNorm;
        _skippedInARow = responses[0].SkippedInARow;
        _bitsPerDim = _upkeep.BitsPerDim(facts, loss);
        _history.Add(new StepCommitted(
            _step + 1, order.EpochsAfter(_step + 1), _bitsPerDim, loss, norm, TrainingState.LearningRate(_spec, _step),
            _spec.ImagesPerStep / _clock.Newest.TotalSeconds, generation.Workers.Count, generation.Number, Skipped: _skippedInARow > 0));
        _step++;
    }

    private Task ConfirmLeaseAsync()
    {
        if (!_lease.IsHeld)
            _clock.Interrupt();
        return _lease.ConfirmAsync();
    }

    /// <summary>Renews the lease, and lets others see in the record how far the run is.</summary>
    private async Task HeartbeatAsync(CancellationToken over)
    {
        try
        {
            while (true)
            {
                await Task.Delay(HeartbeatInterval, _time, over);
                await _lease.WriteAsync(Progress);
            }
        }
        catch (LeaseLostException)
        {
            // The workers are the other coordinator's: nothing more is asked of them.
            _pool.Forget();
        }
        catch (OperationCanceledException)
        {
        }
    }

    private RunRecord Progress(RunRecord record) => record with
    {
        FirstStep = _firstStep,
        Step = _step,
        TotalSteps = _totalSteps ?? record.TotalSteps,
        BitsPerDim = _bitsPerDim ?? record.BitsPerDim,
        TestBitsPerDim = _upkeep.Score?.TestBitsPerDim ?? record.TestBitsPerDim,
        Seconds = Seconds,
    };

    private RunEnded End(RunOutcome outcome, CheckpointSaved? saved, string? error) => new(
        outcome, _step, saved?.StateHash, _upkeep.Score?.Step == _step ? _upkeep.Score.TestBitsPerDim : null,
        _clock.StepsPerSecond * _spec.ImagesPerStep, (saved ?? _history.Last<CheckpointSaved>())?.Path,
        _history.Last<SamplesWritten>()?.Path, error, UserError: false);

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Run {Run}, generation {Generation}, step {Step}: {Epoch} epochs, {BitsPerDim:F4} bits/dim in training, " +
            "{TestBitsPerDim:F4} in test, {ImagesPerS:F0} images/s on {Workers} workers")]
    private static partial void LogEpoch(
        ILogger log, string run, int generation, long step, long epoch, double? bitsPerDim, double? testBitsPerDim, double imagesPerS,
        int workers);

    [LoggerMessage(Level = LogLevel.Information, Message = "Run {Run} ended after step {Step}: {Outcome}, state {StateHash}")]
    private static partial void LogEnded(ILogger log, string run, long step, RunOutcome outcome, string? stateHash);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Run {Run}, step {Step}: {Worker} failed")]
    private static partial void LogFault(ILogger log, Exception fault, string run, long step, string worker);

    [LoggerMessage(Level = LogLevel.Error, Message = "Run {Run} failed at step {Step}")]
    private static partial void LogFailed(ILogger log, Exception fault, string run, long step);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Run {Run}: another coordinator took over; this one ends at step {Step}")]
    private static partial void LogSuperseded(ILogger log, string run, long step);
}
