using System.Diagnostics;
using Microsoft.Extensions.Logging;
using PixelCnnCluster.Actors.Telemetry;
using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.History;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>
/// Trains one run, whoever comes and goes: generation after generation, step after step. When a worker is lost, or another is to be had,
/// the next generation goes on with the uncommitted step. Called from one scheduler's turns only.
/// </summary>
internal sealed partial class RunCoordinator
{
    /// <summary>A worker that is lost this often without a step in between would be lost for ever.</summary>
    private const int MostLosses = 3;

    private static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(1), StopTimeout = TimeSpan.FromSeconds(10);

    private readonly string _run;
    private readonly RunSpec _spec;
    private readonly RunLease _lease;
    private readonly WorkerPool _pool;
    private readonly RunHistory _history;
    private readonly Timeouts _timeouts;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly GenerationStarter _starter;
    private readonly StepRunner _steps;
    private readonly TrainingProgress _progress;
    private readonly Evaluator _evaluator;
    private readonly CheckpointWriter _checkpoints;
    private readonly SampleWriter _samples;
    private readonly SaveRequest _saveRequest = new();
    private bool _isStopping, _isLeaving, _isSaveDue;

    public RunCoordinator(string run, IRunStore store, RunHistory history, RunCluster cluster, TimeProvider time, ILogger log)
    {
        _run = run;
        _history = history;
        _timeouts = cluster.Timeouts;
        _time = time;
        _log = log;
        _spec = store.Record.Spec ?? throw new ArgumentException("The run was not submitted.", nameof(store));
        _progress = new(store.Record, time);
        _lease = new(store, time, log);
        _pool = new(cluster, time, OnUnfit);
        _pool.NoteKnown(store.Record.Workers);
        _steps = new(_timeouts, time);
        RunContext context = new(run, _spec, _lease, history, time, log) { Timeouts = _timeouts };
        _starter = new(context, _pool, _steps, () => _isLeaving, () => _isStopping);
        _evaluator = new(context);
        _checkpoints = new(context, _evaluator);
        _samples = new(context);
        // The state is saved before anything that takes long; its score is added.
        BetweenSteps = [_checkpoints, _evaluator, _samples];
        _evaluator.Scored = _checkpoints.AddScore;
        if (store.Record.IsStopping)
            Stop();

        void OnUnfit(string worker, Exception fault)
        {
            history.Add(new FaultNoticed(_progress.Step, worker, fault.Message));
            cluster.Reconcile();
        }
    }

    /// <summary>Workers that the run does without, because their work failed. They may serve others.</summary>
    public IReadOnlyList<string> Unfit => _pool.Unfit;

    /// <summary>What is done between steps, in this order.</summary>
    public IList<IBetweenSteps> BetweenSteps { get; }

    private bool IsFinished =>
        _isStopping || _progress.Step >= _progress.TotalSteps || IsDiverged || _progress.Seconds / 60 >= _spec.Limits.MaxMinutes;

    /// <summary>A worker that was lost <see cref="MostLosses"/> times without a step in between; null if there is none.</summary>
    private string? OftenLost =>
        _lease.Record.Lost.CountBy(worker => worker).FirstOrDefault(lost => lost.Value >= MostLosses).Key;

    private bool IsDiverged => _progress.SkippedInARow >= _spec.Limits.MaxSkipped;

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
        _isLeaving = true;
        _pool.Close(after: TimeSpan.Zero);
    }

    /// <returns>The run's end; null if this coordinator's came first, because it left or another has taken over.</returns>
    public async Task<RunEnded?> RunAsync()
    {
        // Each step is a trace of its own. Otherwise all of the run would belong to the trace of whoever began it.
        Activity.Current = null;
        using var over = new CancellationTokenSource();
        Task heartbeat = HeartbeatAsync(over.Token);
        try
        {
            return await TrainAsync();
        }
        catch (LeaseLostException)
        {
            LogSuperseded(_log, _run, _progress.Step);
            return null;
        }
        finally
        {
            _pool.Forget();
            _ = _saveRequest.AnswerAsync(Task.FromResult<CheckpointSaved?>(null));
            over.Cancel();
            await heartbeat;
        }
    }

    /// <summary>The loop over generations: starts one, runs it, looks at its outcome, and goes on or ends.</summary>
    private async Task<RunEnded?> TrainAsync()
    {
        GenerationOutcome.Regroup cause = _lease.Record.State == RunState.Training
            ? new(GenerationCause.TakenOver, "another coordinator took over")
            : new(GenerationCause.Begun, "the run begins");
        while (true)
        {
            switch (await RunGenerationAsync(cause))
            {
                case GenerationOutcome.Finished finished:
                    return await EndAsync(finished.End);
                case GenerationOutcome.Left:
                    await _checkpoints.LeaveAsync();
                    return null;
                case GenerationOutcome.Regroup regroup:
                    cause = regroup;
                    break;
                case GenerationOutcome.WorkerFailed { Fault: var fault }:
                    LogFault(_log, fault, _run, _progress.Step, fault.Worker);
                    _starter.HandleFault(_progress.Step, fault);
                    cause = fault.IsLoss
                        ? new(GenerationCause.WorkerLost, $"{fault.Worker} was lost")
                        : new(GenerationCause.WorkerFailed, $"the work of {fault.Worker} failed");
                    break;
            }
        }
    }

    /// <summary>Starts a generation and trains with it until it ends. A fault that no other generation would mend ends the run.</summary>
    private async Task<GenerationOutcome> RunGenerationAsync(GenerationOutcome.Regroup cause)
    {
        if (_isLeaving)
            return new GenerationOutcome.Left();
        try
        {
            long begun = _time.GetTimestamp();
            // A run that is resumed is given new tries.
            IReadOnlyList<string> lostBefore = _progress.HasCommitted || !_progress.HasBegun ? [] : _lease.Record.Lost;
            bool isLoss = cause.Cause is GenerationCause.WorkerLost or GenerationCause.TakenOver;
            if (await _starter.StartAsync(_progress.Step, lostBefore, isLoss) is not { } generation)
                return _isLeaving ? new GenerationOutcome.Left()
                    : new GenerationOutcome.Finished(EndOf(RunOutcome.Stopped, saved: null, error: null));
            Announce(generation, cause, _time.GetElapsedTime(begun));
            if (OftenLost is { } worker)
                return await GiveUpAsync(generation, worker);
            return await TrainAsync(generation);
        }
        catch (RegroupException regroup)
        {
            return new GenerationOutcome.Regroup(regroup.Cause, regroup.Message);
        }
        catch (WorkerFaultException fault) when (!_pool.IsUnfit(fault.Worker))
        {
            return new GenerationOutcome.WorkerFailed(fault);
        }
        catch (Exception fault) when (fault is not LeaseLostException)
        {
            LogFailed(_log, fault, _run, _progress.Step);
            return new GenerationOutcome.Finished(
                EndOf(RunOutcome.Failed, saved: null, fault.Message) with { UserError = fault is UserErrorException });
        }
        finally
        {
            _progress.Pause();
        }
    }

    /// <summary>Tells that a generation begins, and where.</summary>
    private void Announce(Generation generation, GenerationOutcome.Regroup cause, TimeSpan took)
    {
        _pool.ReleaseAllBut(_run, generation.Number, generation.Workers);
        JoinResponse facts = generation.Facts;
        long totalSteps = generation.Order.TotalSteps(_spec);
        if (!_progress.HasBegun)
        {
            _history.Add(new RunStarted
            {
                Run = _run,
                Spec = _spec,
                Parameters = facts.Parameters,
                FlopsPerImage = facts.FlopsPerImage,
                TrainImages = facts.TrainImages,
                TestImages = facts.TestImages,
                Channels = facts.Channels,
                Size = facts.Size,
                FirstStep = facts.Step,
                StepsPerEpoch = (double)facts.TrainImages / _spec.Optimiser.ImagesPerStep,
                TotalSteps = totalSteps,
            });
            _progress.Begin(facts.Step);
        }

        _history.Add(new GenerationOpened
        {
            Step = facts.Step,
            Generation = generation.Number,
            Workers = generation.Workers,
            WorkersWanted = _spec.Compute.Workers,
            Cause = cause.Text,
            StepsRedone = _steps.Regroup(_progress.Step, facts.Step),
            Seconds = took.TotalSeconds,
            Kind = cause.Cause,
        });
        _progress.Start(facts, totalSteps);
    }

    /// <summary>The steps of one generation, and what comes between them.</summary>
    private async Task<GenerationOutcome> TrainAsync(Generation generation)
    {
        // What was due after the newest step may have been cut short by the end of the generation before.
        if (_progress.Step > _progress.FirstStep)
            await BetweenStepsAsync(generation);
        // A worker that leaves is not made to wait for the last evaluation.
        while (!IsFinished || (!_isStopping && !generation.IsComplete))
        {
            if (_isLeaving)
                return new GenerationOutcome.Left();
            if (_pool.ReasonToRegroup(generation.Workers, _spec) is { } regroup)
            {
                await HandOverAsync(generation);
                return regroup;
            }

            await AnswerSaveRequestAsync(generation);
            await ConfirmLeaseAsync();
            await StepAsync(generation);
            await BetweenStepsAsync(generation);
            if (generation.Order.IsEndOfEpoch(_progress.Step))
                LogEpoch(generation);
        }

        return _isLeaving ? new GenerationOutcome.Left() : await FinishAsync(generation);
    }

    private async Task StepAsync(Generation generation)
    {
        long step = _progress.Step;
        using Activity? span = Traces.Begin("step", ("run", _run), ("generation", generation.Number), ("step", step + 1));
        _isSaveDue = _checkpoints.IsLate;
        bool prefetchNext = step + 1 < _progress.TotalSteps && !_isSaveDue
            && !BetweenSteps.Any(work => work.IsDue(generation.Order, step + 1));
        StepResponse[] responses = await _steps.RunAsync(generation, step, prefetchNext);
        // A coordinator that has taken over meanwhile commits in place of this one.
        await ConfirmLeaseAsync();
        double loss = responses.SelectMany(response => response.ShardLosses).Sum() / _spec.Optimiser.ImagesPerStep;
        int skippedInARow = responses[0].SkippedInARow;
        JoinResponse facts = generation.Facts;
        _progress.Commit(_evaluator.BitsPerDim(generation.Facts, loss), skippedInARow);
        _history.Add(new StepCommitted
        {
            Step = step + 1,
            Epoch = generation.Order.EpochsAfter(step + 1),
            BitsPerDim = _progress.BitsPerDim,
            Loss = loss,
            GradientNorm = responses[0].GradientNorm,
            LearningRate = _spec.Schedule.RateAt(step, _progress.TotalSteps!.Value),
            ImagesPerS = _spec.Optimiser.ImagesPerStep / _steps.Newest.TotalSeconds,
            Workers = generation.Workers.Count,
            Generation = generation.Number,
            Skipped = skippedInARow > 0,
            GradientNormPerDim = responses[0].GradientNorm / _spec.Optimiser.DimensionsPerStep(facts.Channels, facts.Size),
        });
    }

    /// <summary>Does what is due when so many steps are committed.</summary>
    private async Task BetweenStepsAsync(Generation generation)
    {
        long step = _progress.Step;
        foreach (IBetweenSteps work in BetweenSteps.Where(work => work.IsDue(generation.Order, step)))
            await work.RunAsync(generation, step);
    }

    /// <summary>
    /// A worker that leaves is released when the next generation has the state. If no worker that has it stays, it must be saved first: who
    /// comes may have data to read.
    /// </summary>
    private async Task HandOverAsync(Generation generation)
    {
        if (_progress.Step > 0 && !generation.Workers.Any(_pool.IsFit))
            await _checkpoints.SaveWholeAsync(generation, _progress.Step, _timeouts.Write);
        if (!_pool.HasFit)
        {
            _pool.ReleaseAllBut(_run, generation.Number, []);
            _starter.ForgetHolders();
        }
    }

    private async Task AnswerSaveRequestAsync(Generation generation)
    {
        long step = _progress.Step;
        // What is due by time may have been saved by steps or epochs.
        if (!(_saveRequest.IsPending || (_isSaveDue && _checkpoints.IsLate)) || step == 0)
            return;
        _isSaveDue = false;
        _steps.Interrupt();
        Task saving = _checkpoints.SaveAsync(generation, step, () => generation.IsEnding);
        _ = _saveRequest.AnswerAsync(WrittenAsync());
        await saving;

        async Task<CheckpointSaved?> WrittenAsync()
        {
            await saving;
            return await _checkpoints.WrittenAsync(step);
        }
    }

    /// <summary>A run that has trained may have workers with a state to save, of whom this coordinator is yet to hear.</summary>
    private void Stop()
    {
        _isStopping = true;
        _pool.Close(after: _lease.Record.State == RunState.Training ? StopTimeout : TimeSpan.Zero);
    }

    private Task ConfirmLeaseAsync()
    {
        if (!_lease.IsHeld)
            _steps.Interrupt();
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
                await _lease.WriteAsync(Note);
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

    private RunRecord Note(RunRecord record) =>
        _progress.Note(record) with { TestBitsPerDim = _evaluator.Score?.TestBitsPerDim ?? record.TestBitsPerDim };
}
