using Microsoft.Extensions.Logging;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>What the silo's log, and the end of a run, say to people.</summary>
internal sealed partial class RunCoordinator
{
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
