using PixelCnnCluster.Contracts;
using static PixelCnnCluster.Client.Display.Format;

namespace PixelCnnCluster.Client.Display;

/// <summary>What is said when a run has ended: what came out, where it lies, and what to try next.</summary>
/// <param name="program">How this console is called, for commands that can be pasted.</param>
public sealed class RunSummary(string program, string logDir, string workingDirectory)
{
    public IEnumerable<string> Lines(RunStatus status)
    {
        var ended = status.Ended!;
        if (ended.Outcome == RunOutcome.Failed)
            return [];
        return
        [
            "",
            FormattableString.Invariant($"{(ended.Outcome == RunOutcome.Stopped ? "Stopped" : "Finished")} after step {ended.Step:N0}."),
            .. Row("test bits/dim", ended.TestBitsPerDim is { } bits ? Bits(bits) : null),
            .. Row("speed", Speed(ended.ImagesPerS)),
            .. Row("checkpoint", ended.Checkpoint),
            .. Row("samples", ended.Samples),
            .. Row("logs", logDir),
            "",
            .. Next(status),
        ];
    }

    private static IEnumerable<string> Row(string label, string? value) => value is null ? [] : [$"  {label,-16}{value}"];

    private IEnumerable<string> Next(RunStatus status)
    {
        if (status.Ended!.Checkpoint is { } checkpoint)
            yield return Try("continue", $"--load-params {Path(System.IO.Path.GetDirectoryName(checkpoint)!)}{Further(status)}");
        if (status.Started?.Spec.DataSet != DataSet.Digits)
            yield break;
        yield return Try("a bigger model", "--preset quick --nr-filters 32 --nr-resnet 2 --max-epochs 20 --max-minutes 30");
        yield return Try("by class", "--preset quick --class-conditional");
        yield return Try("real MNIST", "--preset quick --data-set mnist --max-minutes 30");
    }

    /// <summary>A run that used up its epochs or steps needs more of them to go on.</summary>
    private static string Further(RunStatus status)
    {
        if (status.Started is not { } started || status.Step < started.TotalSteps)
            return "";
        return started.Spec.MaxSteps is { } steps && status.Step >= steps
            ? FormattableString.Invariant($" --max-steps {2 * steps}")
            : FormattableString.Invariant($" --max-epochs {2 * started.Spec.MaxEpochs}");
    }

    private string Try(string label, string flags) => $"  {label,-16}{program} train {flags}";

    private string Path(string path)
    {
        var relative = System.IO.Path.GetRelativePath(workingDirectory, path);
        var shorter = relative.StartsWith("..", StringComparison.Ordinal) ? path : relative;
        return shorter.Contains(' ', StringComparison.Ordinal) ? $"\"{shorter}\"" : shorter;
    }
}
