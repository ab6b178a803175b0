using Microsoft.Extensions.Logging;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>What the silo's log says of a run.</summary>
internal sealed partial class RunCoordinator
{
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
