using System.Globalization;
using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Contracts;
using Spectre.Console;

namespace PixelCnnCluster.Client;

/// <summary>One run in front of the user: a live panel in a terminal, lines in a log, JSON for programs.</summary>
public sealed class RunView : IDisposable
{
    private readonly RunStatus _status = new(TimeProvider.System);
    private readonly string _run;
    private readonly string? _logDir;

    /// <param name="logDir">Folder of the silos' logs; null where they are not this machine's.</param>
    public RunView(string run, bool json, string? logDir, Prompt prompt)
    {
        (_run, _logDir) = (run, logDir);
        var summary = new RunSummary(prompt, logDir, Environment.CurrentDirectory);
        Display = json ? new JsonLinesDisplay(Console.Out)
            : Terminal.IsInteractive
                ? new TerminalDisplay(AnsiConsole.Console, _status, summary)
                : new PlainDisplay(Console.Out, _status, summary, TimeProvider.System);
    }

    public IRunDisplay Display { get; private set; }

    /// <summary>Leaves out everything but the end.</summary>
    public void ShowEndOnly() => Display = new EndDisplay(Display);

    /// <summary>Shows the run until it is over, and returns the exit code that says how it went.</summary>
    /// <inheritdoc cref="RunWatch.FollowAsync"/>
    public async Task<int> FollowAsync(ITrainingRunGrain run, long from, Task lost, CancellationToken stop, CancellationToken leave)
    {
        RunEnded ended = await new RunWatch(run, _status, Display, lost, TimeProvider.System).FollowAsync(from, stop, leave);
        if (ended.Outcome != RunOutcome.Failed)
            return ExitCode.Success;
        string error = ended.Error ?? "no reason was given";
        // The event itself has told programs.
        return ended.UserError
            ? Failure.Report(ExitCode.UserError, [error], json: false)
            : Failure.Report(ExitCode.Fault, [Describe(error)], json: false);
    }

    /// <summary>What failed, and where in the run.</summary>
    public string Describe(string fault) => string.Create(
        CultureInfo.InvariantCulture,
        $"Run {_run} failed at step {_status.Step}{(_status.FaultyWorker is { } worker ? $" on {worker}" : "")}: {fault}" +
        $"{(_logDir is null ? "" : $"\nLogs: {_logDir}")}");

    public void Dispose() => Display.Dispose();
}
