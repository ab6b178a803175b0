using Microsoft.Extensions.Logging;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>What the history and the silo's log say of a run.</summary>
internal sealed partial class RunCoordinator
{
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

    private string DivergenceText()
    {
        string what = $"The run has diverged: the gradient was not finite in {_progress.SkippedInARow} steps in a row.";
        return _checkpoints.NewestGood is { } good
            ? $"{what} Go on from {good} with --load-params {good} and a lower --learning-rate."
            : $"{what} It has no earlier checkpoint, so begin again with a lower --learning-rate.";
    }

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
