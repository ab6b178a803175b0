using Microsoft.Extensions.Logging;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>How a run ends, and what it and the silo's log say to people.</summary>
internal sealed partial class RunCoordinator
{
    /// <summary>
    /// Saves, evaluates and samples for the last time, and compares the workers' states. A run that is told to stop, or has diverged, only
    /// saves.
    /// </summary>
    private async Task<GenerationOutcome> FinishAsync(Generation generation)
    {
        long step = _progress.Step;
        bool onlySaves = _isStopping || IsDiverged;
        CheckpointSaved saved = await _checkpoints.SaveWholeAsync(
            generation, step, _isStopping ? _checkpoints.LastWriteTimeout : _timeouts.Write);
        if (!onlySaves && !await _evaluator.EvaluateAsync(generation, step, isLeftOut: () => !generation.IsComplete))
            return new GenerationOutcome.Regroup(GenerationCause.WorkerLeft, "a worker left while the run was scored for the last time");
        if (!onlySaves)
            await _samples.WriteAsync(generation, step);
        string[] hashes = await generation.AskAllAsync((_, worker) => worker.HashAsync(new(_run, generation.Id, step)));
        if (hashes.Any(hash => hash != saved.StateHash))
        {
            throw new InvalidOperationException(
                $"The workers' states differ after step {step}: {string.Join(", ", hashes)}; the checkpoint has {saved.StateHash}.");
        }

        // The checkpoint gets its score too.
        await _checkpoints.WrittenAsync(step);
        return new GenerationOutcome.Finished(IsDiverged
            ? EndOf(RunOutcome.Failed, saved, DivergenceText()) with { Checkpoint = _checkpoints.NewestGood ?? saved.Path }
            : EndOf(_isStopping ? RunOutcome.Stopped : RunOutcome.Completed, saved, error: null));
    }

    private async Task<RunEnded> EndAsync(RunEnded end)
    {
        // Nothing comes after the run's end.
        _checkpoints.Close();
        _history.Add(end);
        await _lease.WriteAsync(record => Note(record) with
        {
            Workers = [],
            Error = end.Error,
            State = end.Outcome switch
            {
                RunOutcome.Completed => RunState.Completed,
                RunOutcome.Stopped => RunState.Stopped,
                _ => RunState.Failed
            },
        });
        _pool.ReleaseAllBut(_run, _lease.Record.Generation, []);
        LogEnded(_log, _run, _progress.Step, end.Outcome, end.StateHash);
        return end;
    }

    private RunEnded EndOf(RunOutcome outcome, CheckpointSaved? saved, string? error) => new()
    {
        Outcome = outcome,
        Step = _progress.Step,
        StateHash = saved?.StateHash,
        TestBitsPerDim = _evaluator.BitsPerDimAt(_progress.Step),
        ImagesPerS = _steps.StepsPerSecond * _spec.Optimiser.ImagesPerStep,
        Checkpoint = (saved ?? _history.Last<CheckpointSaved>())?.Path,
        Samples = _history.Last<SamplesWritten>()?.Path,
        Error = error,
        StepsRedone = _history.All<GenerationOpened>().Sum(opened => opened.StepsRedone),
    };

    /// <summary>Saves what is left of a run whose workers are killed again and again, as happens where memory is short.</summary>
    private async Task<GenerationOutcome> GiveUpAsync(Generation generation, string worker)
    {
        CheckpointSaved? saved = _progress.Step == (_lease.Record.SavedStep ?? 0) ? null
            : await _checkpoints.SaveWholeAsync(generation, _progress.Step, _timeouts.Write);
        return new GenerationOutcome.Finished(EndOf(RunOutcome.Failed, saved, LossText(worker)));
    }

    private string DivergenceText()
    {
        string what = $"The run has diverged: the gradient was not finite in {_progress.SkippedInARow} steps in a row.";
        return _checkpoints.NewestGood is { } good
            ? $"{what} Go on from {good} with --load-params {good} and a lower --learning-rate."
            : $"{what} It has no earlier checkpoint, so begin again with a lower --learning-rate.";
    }

    private static string LossText(string worker) =>
        $"{worker} was lost {MostLosses} times without a step in between. The system kills a process that needs more memory than there " +
        $"is (signal 9, OOMKilled). Lower --batch-size, --init-batch-size or --nr-filters, give the silo more memory, or let fewer " +
        $"workers share a machine.";

    private void LogEpoch(Generation generation) => LogEpoch(
        _log, _run, generation.Number, _progress.Step, generation.Order.WholeEpochsAfter(_progress.Step), _progress.BitsPerDim,
        _evaluator.Score?.TestBitsPerDim, _steps.StepsPerSecond * _spec.Optimiser.ImagesPerStep, generation.Workers.Count);

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
