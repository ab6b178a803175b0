using PixelCnnCluster.Contracts;
using static PixelCnnCluster.Client.Display.Format;

namespace PixelCnnCluster.Client.Display;

/// <summary>What is said when a run has ended: what came out, where it lies, and what to try next.</summary>
/// <param name="logDir">Folder of the silos' logs; null where they are not this machine's.</param>
public sealed class RunSummary(Prompt prompt, string? logDir, string workingDirectory)
{
    public IEnumerable<string> Lines(RunStatus status)
    {
        RunEnded ended = status.Ended!;
        if (ended.Outcome == RunOutcome.Failed)
            return [];
        return
        [
            "",
            FormattableString.Invariant($"{(ended.Outcome == RunOutcome.Stopped ? "Stopped" : "Finished")} after step {ended.Step:N0}."),
            .. Row("test bits/dim", ended.TestBitsPerDim is { } bits ? Bits(bits) : null),
            .. Row("speed", Speed(ended.ImagesPerS, status.Started?.FlopsPerImage)),
            .. Row(
                "lost to faults", ended.StepsRedone > 0 ? FormattableString.Invariant($"{ended.StepsRedone:N0} steps, done again") : null),
            .. Row("checkpoint", ended.Checkpoint),
            .. Row("samples", ended.Samples),
            .. Row("logs", logDir),
            "",
            .. prompt.Cluster is null ? Next(status) : Resumption(status),
        ];
    }

    private IEnumerable<string> Resumption(RunStatus status) => status is { Started.Run: var run, Ended.Outcome: RunOutcome.Stopped }
        ? Row("continue", prompt.Command($"resume {Prompt.Quote(run)}"))
        : [];

    private IEnumerable<string> Next(RunStatus status)
    {
        IEnumerable<string> Try(string label, string flags) => Row(label, prompt.Command($"train {flags}"));

        return
        [
            .. status.Ended!.Checkpoint is { } checkpoint
                ? Try("continue", $"--load-params {Path(System.IO.Path.GetDirectoryName(checkpoint)!)}{Further(status)}")
                : [],
            .. status.Started?.Spec.Data.DataSet == DataSet.Digits
                ?
                [
                    .. Try("a bigger model", "--preset quick --nr-filters 32 --nr-resnet 2 --max-epochs 20 --max-minutes 30"),
                    .. Try("by class", "--preset quick --class-conditional"),
                    .. Try("real MNIST", "--preset quick --data-set mnist --max-minutes 30"),
                ]
                : Array.Empty<string>(),
        ];
    }

    /// <summary>A run that used up its epochs or steps needs more of them to go on.</summary>
    private static string Further(RunStatus status)
    {
        if (status.Started is not { } started || status.Step < started.TotalSteps)
            return "";
        return started.Spec.Limits.MaxSteps is { } steps && status.Step >= steps
            ? FormattableString.Invariant($" --max-steps {2 * steps}")
            : FormattableString.Invariant($" --max-epochs {2 * started.Spec.Limits.MaxEpochs}");
    }

    private string Path(string path)
    {
        string relative = System.IO.Path.GetRelativePath(workingDirectory, path);
        string shorter = relative.StartsWith("..", StringComparison.Ordinal) ? path : relative;
        return Prompt.Quote(shorter);
    }
}
