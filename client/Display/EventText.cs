using System.Globalization;
using PixelCnnCluster.Client.Downloads;
using PixelCnnCluster.Contracts;
using static PixelCnnCluster.Client.Display.Format;

namespace PixelCnnCluster.Client.Display;

/// <summary>One line for each event that people want to keep, whatever the texts in it hold.</summary>
public static class EventText
{
    public static string Downloading(DownloadProgress e) => string.Create(
        CultureInfo.InvariantCulture,
        $"downloading {e.File}: {e.Bytes / 1e6:0.0}" +
        $"{(e.Total is { } total ? FormattableString.Invariant($" of {total / 1e6:0.0}") : "")} MB");

    public static string Started(RunStarted e) => Printable.Of(string.Create(
        CultureInfo.InvariantCulture,
        $"{e.Run}: {Summary(e.Spec)}; {e.Parameters:N0} parameters, {e.TrainImages:N0} training and {e.TestImages:N0} test images of " +
        $"{e.Size}x{e.Size}, steps {e.FirstStep:N0} to {e.TotalSteps:N0}"));

    public static string Awaited(WorkersAwaited e) => FormattableString.Invariant($"waiting for a worker after step {e.Step:N0}");

    public static string Opened(GenerationOpened e) => Printable.Of(string.Create(
        CultureInfo.InvariantCulture,
        $"generation {e.Generation}: {e.Workers.Count} of {e.WorkersWanted} workers ({e.Cause}){Redone(e.StepsRedone)}, " +
        $"{e.Seconds:0.0} s"));

    public static string Step(RunStatus status) => string.Create(
        CultureInfo.InvariantCulture,
        $"step {status.Step:N0}/{status.Started?.TotalSteps:N0}  epoch {status.Last?.Epoch:0.00}  {status.ObjectiveName} " +
        $"{Bits(status.Objective)}  {Speed(status.ImagesPerS)}  {Duration(status.TimeLeft)} left");

    public static string Evaluated(Evaluated e) => string.Create(
        CultureInfo.InvariantCulture,
        $"test after step {e.Step:N0}, epoch {e.Epoch:0.00}: " +
        $"{(e.TestBitsPerDim is { } bits ? $"{Bits(bits)} bits/dim" : $"energy distance {Bits(e.TestLoss)}")} on {e.Images:N0} images " +
        $"({e.Seconds:0.0} s)");

    public static string Saved(CheckpointSaved e) =>
        Printable.Of(FormattableString.Invariant($"checkpoint {e.Path} ({e.Bytes / 1e6:0.0} MB)"));

    public static string SamplesOf(SamplesWritten e) => Printable.Of($"samples {e.Path}");

    public static string Fault(FaultNoticed e) => Printable.Of(
        FormattableString.Invariant($"fault at step {e.Step:N0}{(e.Worker is null ? "" : $" on {e.Worker}")}: {e.Message}"));

    public static string Ended(RunEnded e) => Printable.Of(FormattableString.Invariant(
        $"{e.Outcome.ToString().ToLowerInvariant()} after step {e.Step:N0}{(e.Error is null ? "" : $": {e.Error}")}"));

    /// <summary>The line for an event other than a step, or null when it has none.</summary>
    public static string? Of(RunEvent e) => e switch
    {
        RunStarted started => Started(started),
        WorkersAwaited awaited => Awaited(awaited),
        GenerationOpened opened => Opened(opened),
        Evaluated evaluated => Evaluated(evaluated),
        CheckpointSaved saved => Saved(saved),
        SamplesWritten drawn => SamplesOf(drawn),
        FaultNoticed fault => Fault(fault),
        RunEnded ended => Ended(ended),
        _ => null,
    };

    private static string Redone(long steps) =>
        steps == 0 ? "" : FormattableString.Invariant($", {steps:N0} step{(steps == 1 ? "" : "s")} redone");
}
