using System.Diagnostics;
using Microsoft.Extensions.Logging;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors;

/// <summary>
/// Trains one run, whoever comes and goes: orders step after step, and between steps has the workers score, save and draw. When one of them is lost, or another is to be had, the next generation goes on with the uncommitted step.
/// Called from one scheduler's turns only.
/// </summary>
internal sealed partial class RunCoordinator
{
    private static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(1), StopTimeout = TimeSpan.FromSeconds(10);

    private readonly string run;
    private readonly RunSpec spec;
    private readonly RunLease lease;
    private readonly WorkerPool roster;
    private readonly RunHistory history;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly GenerationStarter opening;
    private readonly StepRunner clock;
    private readonly Upkeep upkeep;
    private double seconds;
    private long? since;
    private bool stopping, leaving;
    private long firstStep;
    private long step;
    private long? totalSteps;
    private double? bitsPerDim;
    private int skippedInARow;
    private readonly SaveRequest saveRequest = new();

    public RunCoordinator(string run, IRunStore ledger, RunHistory history, RunCluster cluster, TimeProvider time, ILogger log)
    {
        (this.run, this.history, this.time, this.log) = (run, history, time, log);
        spec = ledger.Record.Spec ?? throw new ArgumentException("The run was not submitted.", nameof(ledger));
        (firstStep, step, seconds) = (ledger.Record.FirstStep, ledger.Record.Step, ledger.Record.Seconds);
        lease = new(ledger, time, log);
        roster = new(cluster, time, OnUnfit);
        roster.NoteKnown(ledger.Record.Workers);
        clock = new(time);
        opening = new(run, spec, lease, roster, history, cluster, clock, () => leaving, () => stopping, time, log);
        upkeep = new(run, spec, history, lease, time);
        if (ledger.Record.IsStopping)
            Stop();

        void OnUnfit(string worker, Exception fault)
        {
            history.Add(new FaultNoticed(step, worker, fault.Message));
            cluster.Reconcile();
        }
    }

    /// <summary>Workers that the run does without, because their work failed. They may serve others.</summary>
    public IReadOnlyList<string> Unfit => roster.Unfit;

    private bool IsFinished => stopping || step >= totalSteps || skippedInARow >= spec.MaxSkipped || Seconds / 60 >= spec.MaxMinutes;

    /// <summary>Of training, in all generations.</summary>
    private double Seconds => seconds + (since is { } at ? time.GetElapsedTime(at).TotalSeconds : 0);

    /// <summary>Says which workers the run has from now on.</summary>
    /// <param name="unfit">Those that were passed over, as <see cref="Unfit"/> had told.</param>
    public void AssignWorkers(IReadOnlyList<string> workers, IReadOnlyList<string> unfit) => roster.Assign(workers, unfit);

    /// <summary>Ends the run after the step in progress, with a checkpoint.</summary>
    /// <returns>Completes when the wish is stored, so that it outlives this coordinator.</returns>
    public async Task StopAsync()
    {
        await lease.WriteAsync(record => record with { IsStopping = true });
        Stop();
    }

    /// <summary>Saves after the step in progress.</summary>
    /// <returns>The checkpoint, once written; null if it could not be.</returns>
    public Task<CheckpointSaved?> SaveAsync() => saveRequest.AskAsync();

    /// <summary>Ends the coordinator, not the run, after the step in progress: one on another silo goes on.</summary>
    public void Leave()
    {
        leaving = true;
        roster.Close(after: TimeSpan.Zero);
    }

    /// <summary>A run that has trained may have workers with a state to save, of whom this coordinator is yet to hear.</summary>
    private void Stop()
    {
        stopping = true;
        roster.Close(after: lease.Record.State == RunState.Training ? StopTimeout : TimeSpan.Zero);
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
            LogSuperseded(log, run, step);
            return null;
        }
        finally
        {
            roster.Forget();
            _ = saveRequest.AnswerAsync(Task.FromResult<CheckpointSaved?>(null));
            over.Cancel();
            await beating;
        }
    }

    /// <summary>The training loop over generations.</summary>
    private async Task<RunEnded?> TrainAsync()
    {
        bool goesOn = lease.Record.State == RunState.Training;
        (GenerationCause Kind, string Text) cause = goesOn ? (GenerationCause.TakenOver, "another coordinator took over") : (GenerationCause.Begun, "the run begins");
        RunEnded ended;
        while (true)
        {
            if (leaving)
                return null;
            try
            {
                long begun = time.GetTimestamp();
                if (await opening.StartAsync(step) is not { } crew)
                {
                    if (leaving)
                        continue;
                    ended = End(RunOutcome.Stopped, saved: null, error: null);
                    break;
                }

                roster.ReleaseAllBut(run, crew.Number, but: crew.Workers);
                JoinResponse facts = opening.Reports[0];
                var order = new DataOrder(facts.TrainImages, spec.BatchSize, spec.Shards, spec.Seed, facts.Step, facts.Images);
                totalSteps = Math.Min(spec.MaxSteps ?? long.MaxValue, order.StepsFor(spec.MaxEpochs));
                if (!goesOn)
                {
                    history.Add(new RunStarted(
                        run, spec, facts.Parameters, facts.TrainImages, facts.TestImages, facts.Channels, facts.Size, facts.Step, (double)facts.TrainImages / spec.ImagesPerStep, totalSteps.Value));
                    firstStep = step = facts.Step;
                }

                goesOn = true;
                history.Add(new GenerationOpened(
                    facts.Step, crew.Number, crew.Workers, spec.Workers, cause.Text, clock.Regroup(step, facts.Step), time.GetElapsedTime(begun).TotalSeconds, cause.Kind));
                (step, skippedInARow) = (facts.Step, facts.SkippedInARow);
                since = time.GetTimestamp();
                await TrainAsync(crew, facts, order);
                if (leaving)
                    continue;
                CheckpointSaved saved = await upkeep.FinishAsync(crew, facts, order, step, inHaste: stopping);
                ended = skippedInARow >= spec.MaxSkipped
                    ? End(RunOutcome.Failed, saved, $"The gradient was not finite in {skippedInARow} steps in a row; the state of the last good step is saved. Lower --learning-rate.")
                    : End(stopping ? RunOutcome.Stopped : RunOutcome.Completed, saved, error: null);
                break;
            }
            catch (RegroupException regroup)
            {
                cause = (regroup.Cause, regroup.Message);
            }
            catch (WorkerFaultException fault) when (!roster.IsUnfit(fault.Worker))
            {
                cause = fault.IsLoss ? (GenerationCause.WorkerLost, $"{fault.Worker} was lost") : (GenerationCause.WorkerFailed, $"the work of {fault.Worker} failed");
                LogFault(log, fault, run, step, fault.Worker);
                opening.HandleFault(step, fault);
            }
            catch (Exception fault) when (fault is not LeaseLostException)
            {
                LogFailed(log, fault, run, step);
                ended = End(RunOutcome.Failed, saved: null, fault.Message) with { UserError = fault is UserErrorException };
                break;
            }
            finally
            {
                (seconds, since) = (Seconds, null);
            }
        }

        history.Add(ended);
        await lease.WriteAsync(record => Progress(record) with
        {
            Workers = [],
            Error = ended.Error,
            State = ended.Outcome switch { RunOutcome.Completed => RunState.Completed, RunOutcome.Stopped => RunState.Stopped, _ => RunState.Failed },
        });
        roster.ReleaseAllBut(run, lease.Record.Generation, but: []);
        LogEnded(log, run, step, ended.Outcome, ended.StateHash);
        return ended;
    }

    /// <summary>The steps of one generation: returns when the run is finished or this coordinator is to leave.</summary>
    private async Task TrainAsync(Generation crew, JoinResponse facts, DataOrder order)
    {
        // What was due after the newest step may have been cut short by the end of the generation before.
        if (step > firstStep)
            await upkeep.AfterStepAsync(crew, facts, order, step, InHaste);
        // A worker that leaves is not made to wait for the last score.
        while (!leaving && !(IsFinished && (stopping || crew.IsComplete)))
        {
            if (roster.ReasonToRegroup(crew.Workers, spec) is { } reason)
            {
                // Who leaves is let go when the next generation has the state. If nobody who has it stays, it must be saved first: who comes may have data to read.
                if (step > 0 && !crew.Workers.Any(roster.IsFit))
                    await upkeep.SaveWholeAsync(crew, step, Timeouts.Write);
                if (!roster.HasFit)
                {
                    roster.ReleaseAllBut(run, crew.Number, but: []);
                    opening.ForgetHolders();
                }

                throw reason;
            }

            if (saveRequest.IsPending && step > 0)
            {
                clock.Interrupt();
                Task saving = upkeep.SaveAsync(crew, step, InHaste);
                _ = saveRequest.AnswerAsync(WrittenAsync(saving, step));
                await saving;
            }

            await ConfirmLeaseAsync();
            await StepAsync(crew, facts, order);
            await upkeep.AfterStepAsync(crew, facts, order, step, InHaste);
            if (Upkeep.IsDueAfter(order, step))
                LogEpoch(log, run, crew.Number, step, order.WholeEpochsAfter(step), bitsPerDim, upkeep.Score?.TestBitsPerDim, clock.StepsPerSecond * spec.ImagesPerStep, crew.Workers.Count);
        }

        async Task<CheckpointSaved?> WrittenAsync(Task saving, long step)
        {
            await saving;
            return await upkeep.WrittenAsync(step);
        }

        bool InHaste() => stopping || leaving || !crew.IsComplete;
    }

    private async Task StepAsync(Generation crew, JoinResponse facts, DataOrder order)
    {
        using Activity? span = Traces.Begin("step", ("run", run), ("generation", crew.Number), ("step", step + 1));
        StepResponse[] reports = await clock.RunAsync(crew, step, goesOn: step + 1 < totalSteps && !Upkeep.IsDueAfter(order, step + 1));
        // Whoever has taken over meanwhile commits in this one's place.
        await ConfirmLeaseAsync();
        double loss = reports.SelectMany(report => report.ShardLosses).Sum() / spec.ImagesPerStep;
        double norm = reports[0].GradientNorm;
        skippedInARow = reports[0].SkippedInARow;
        bitsPerDim = upkeep.BitsPerDim(facts, loss);
        history.Add(new StepCommitted(
            step + 1, order.EpochsAfter(step + 1), bitsPerDim, loss, norm, TrainingState.LearningRate(spec, step),
            spec.ImagesPerStep / clock.Newest.TotalSeconds, crew.Workers.Count, crew.Number, Skipped: skippedInARow > 0));
        step++;
    }

    private Task ConfirmLeaseAsync()
    {
        if (!lease.IsHeld)
            clock.Interrupt();
        return lease.ConfirmAsync();
    }

    /// <summary>Renews the lease, and lets others see in the record how far the run is.</summary>
    private async Task HeartbeatAsync(CancellationToken over)
    {
        try
        {
            while (true)
            {
                await Task.Delay(HeartbeatInterval, time, over);
                await lease.WriteAsync(Progress);
            }
        }
        catch (LeaseLostException)
        {
            // The workers are the other coordinator's: nothing more is asked of them.
            roster.Forget();
        }
        catch (OperationCanceledException)
        {
        }
    }

    private RunRecord Progress(RunRecord record) => record with
    {
        FirstStep = firstStep,
        Step = step,
        TotalSteps = totalSteps ?? record.TotalSteps,
        BitsPerDim = bitsPerDim ?? record.BitsPerDim,
        TestBitsPerDim = upkeep.Score?.TestBitsPerDim ?? record.TestBitsPerDim,
        Seconds = Seconds,
    };

    private RunEnded End(RunOutcome outcome, CheckpointSaved? saved, string? error) => new(
        outcome, step, saved?.StateHash, upkeep.Score?.Step == step ? upkeep.Score.TestBitsPerDim : null,
        clock.StepsPerSecond * spec.ImagesPerStep, (saved ?? history.Last<CheckpointSaved>())?.Path, history.Last<SamplesWritten>()?.Path, error, UserError: false);

    [LoggerMessage(Level = LogLevel.Information, Message = "Run {Run}, generation {Generation}, step {Step}: {Epoch} epochs, {BitsPerDim:F4} bits/dim in training, {TestBitsPerDim:F4} in test, {ImagesPerS:F0} images/s on {Workers} workers")]
    private static partial void LogEpoch(ILogger log, string run, int generation, long step, long epoch, double? bitsPerDim, double? testBitsPerDim, double imagesPerS, int workers);

    [LoggerMessage(Level = LogLevel.Information, Message = "Run {Run} ended after step {Step}: {Outcome}, state {StateHash}")]
    private static partial void LogEnded(ILogger log, string run, long step, RunOutcome outcome, string? stateHash);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Run {Run}, step {Step}: {Worker} failed")]
    private static partial void LogFault(ILogger log, Exception fault, string run, long step, string worker);

    [LoggerMessage(Level = LogLevel.Error, Message = "Run {Run} failed at step {Step}")]
    private static partial void LogFailed(ILogger log, Exception fault, string run, long step);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Run {Run}: another coordinator took over; this one ends at step {Step}")]
    private static partial void LogSuperseded(ILogger log, string run, long step);
}
