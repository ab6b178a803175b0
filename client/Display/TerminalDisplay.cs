using PixelCnnCluster.Client.Downloads;
using PixelCnnCluster.Contracts;
using Spectre.Console;
using Spectre.Console.Rendering;
using static PixelCnnCluster.Client.Display.Format;

namespace PixelCnnCluster.Client.Display;

/// <summary>A panel at the bottom of the terminal that follows the run; what is worth keeping scrolls by above it.</summary>
public sealed class TerminalDisplay(IAnsiConsole console, RunStatus status, RunSummary summary) : IRunDisplay
{
    /// <summary>Lines of the terminal that a picture leaves free.</summary>
    private const int LinesForPanel = 8;

    private readonly TaskCompletionSource _end = new();
    private LiveDisplayContext? _panel;
    private Task _panelEnded = Task.CompletedTask;

    public void Note(string text) => console.MarkupLineInterpolated($"[grey]{text}[/]");

    public void Show(RunEvent e)
    {
        switch (e)
        {
            case RunStarted when _panel is null:
                _panelEnded = console.Live(Text.Empty).AutoClear(true).StartAsync(panel =>
                {
                    _panel = panel;
                    return _end.Task;
                });
                break;
            case FaultNoticed or WorkersAwaited:
                console.MarkupLineInterpolated($"[yellow]{EventText.Of(e)}[/]");
                break;
            case SamplesWritten samples:
                // The cluster keeps the pixels of the newest alone.
                if (samples.Pixels.Length > 0)
                    console.Write(
                        HalfBlocks.Render(
                            HalfBlocks.Grid(samples.Images(), console.Profile.Width - 1, console.Profile.Height - LinesForPanel)));
                console.WriteLine(EventText.SamplesOf(samples));
                break;
            case GenerationOpened or Evaluated or CheckpointSaved or RunEnded:
                console.WriteLine(EventText.Of(e)!);
                break;
        }

        Tick();
    }

    public void End(RunEnded e)
    {
        Dispose();
        foreach (string line in summary.Lines(status))
            // This bypasses the console, which would break commands that are to be pasted.
            console.Profile.Out.Writer.WriteLine(line);
    }

    public Task ShowDownloadsAsync(Func<IProgress<DownloadProgress>, Task> work) =>
        console.Progress().AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new DownloadedColumn(), new RemainingTimeColumn())
            .StartAsync(progress =>
            {
                var bars = new Dictionary<string, ProgressTask>();
                return work(new DownloadReporter(report =>
                {
                    if (!bars.TryGetValue(report.File, out ProgressTask? bar))
                        bars[report.File] = bar = progress.AddTask(Markup.Escape(report.File));
                    bar.IsIndeterminate = report.Total is null;
                    bar.MaxValue = report.Total ?? report.Bytes;
                    bar.Value = report.Bytes;
                }));
            });

    public void Tick()
    {
        if (status.Started is { } started)
            _panel?.UpdateTarget(Panel(started, console.Profile.Width));
    }

    /// <summary>Takes the panel away and gives the cursor back.</summary>
    public void Dispose()
    {
        _end.TrySetResult();
        _panelEnded.GetAwaiter().GetResult();
    }

    private Rows Panel(RunStarted started, int width)
    {
        Grid figures = new Grid().AddColumns(4);
        void Row(string left, string leftValue, string right, string rightValue) =>
            figures.AddRow(
                new Text(left, new Style(Color.Grey)), new Text(leftValue), new Text(right, new Style(Color.Grey)), new Text(rightValue));

        Row("step", Steps(status.Step, started.TotalSteps),
            status.ObjectiveName, $"{Bits(status.Objective)}  {Sparkline(status.History, Math.Clamp(width - 60, 8, 40))}");
        Row("epoch", FormattableString.Invariant($"{status.Last?.Epoch ?? 0:0.00}"),
            "test bits/dim", Bits(status.Test?.TestBitsPerDim));
        Row("speed", Format.Speed(status.ImagesPerS, started.FlopsPerImage),
            "workers", status.Generation is { } g
                ? FormattableString.Invariant($"{g.Workers.Count} of {g.WorkersWanted}, generation {g.Generation}") : "waiting for one");
        return new Rows(new List<IRenderable>
        {
            new Text(Printable.Of(started.Run), new Style(decoration: Decoration.Bold)),
            new Text(Summary(started.Spec), new Style(Color.Grey)).Ellipsis(),
            new Markup(
                $"[green]{Bar(status.Done, Math.Clamp(width - 30, 10, 60))}[/] {Number(100 * status.Done, "0")} %, " +
                $"{Duration(status.TimeLeft)} left"),
            figures,
        });
    }
}
