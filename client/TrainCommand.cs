using System.CommandLine;
using PixelCnnCluster.Client.Arguments;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Client.Downloads;
using PixelCnnCluster.Contracts;
using Spectre.Console;

namespace PixelCnnCluster.Client;

/// <summary>Trains a model on a cluster of this machine's own.</summary>
public static class TrainCommand
{
    /// <summary>Returns the exit code.</summary>
    public static async Task<int> RunAsync(ParseResult result)
    {
        var reader = new TrainRequestReader(DateTimeOffset.Now, Environment.ProcessorCount);
        var request = reader.Read(result);
        if (reader.Mistakes.Count > 0)
            return Failure.Report(ExitCode.UserError, reader.Mistakes, request.Json);

        using var signals = new StopSignals();
        var status = new RunStatus(TimeProvider.System);
        try
        {
            using var display = Display(request, status);
            return await TrainAsync(request, status, display, signals);
        }
        catch (OperationCanceledException) when (signals.Abort.IsCancellationRequested)
        {
            return Failure.Report(ExitCode.Interrupted, ["Stopped at once; the newest checkpoint is from before."], request.Json);
        }
        catch (OperationCanceledException) when (signals.Stop.IsCancellationRequested)
        {
            return Failure.Report(ExitCode.Success, ["Stopped before the first step; nothing was saved."], request.Json);
        }
        catch (UserErrorException mistake)
        {
            return Failure.Report(ExitCode.UserError, [mistake.Message], request.Json);
        }
        catch (Exception fault)
        {
            return Failure.Report(ExitCode.Fault, [Describe(request, status, fault.Message)], request.Json);
        }
    }

    private static async Task<int> TrainAsync(TrainRequest request, RunStatus status, IRunDisplay display, StopSignals signals)
    {
        CreateFolder(request.LogDir);
        if (DataSetCatalog.Files(request.Spec.DataSet).Count > 0)
            await display.ShowDownloadsAsync(progress => DataSetDownload.EnsureAsync(request.Spec.DataSet, request.Spec.DataDir, progress, signals.Stop));
        display.Note($"Starting {request.Spec.Workers} workers; their logs are in {request.LogDir}.");
        await using var cluster = await LocalCluster.StartAsync(request.Spec.Workers, request.Threads, request.LogDir, signals.Stop);
        using var killing = signals.Abort.Register(cluster.Kill);
        var run = cluster.Client.GetGrain<ITrainingRunGrain>(request.Run);
        var ended = await new RunWatch(run, status, display, cluster.Lost, TimeProvider.System).FollowAsync(request.Spec, signals.Stop, signals.Abort);
        if (ended.Outcome != RunOutcome.Failed)
            return ExitCode.Success;
        var error = ended.Error ?? "no reason was given";
        // The event itself has told programs.
        return ended.UserError
            ? Failure.Report(ExitCode.UserError, [error], json: false)
            : Failure.Report(ExitCode.Fault, [Describe(request, status, error)], json: false);
    }

    private static string Describe(TrainRequest request, RunStatus status, string fault) => FormattableString.Invariant(
        $"Run {request.Run} failed at step {status.Step}{(status.FaultyWorker is { } worker ? $" on {worker}" : "")}: {fault}\nLogs: {request.LogDir}");

    private static IRunDisplay Display(TrainRequest request, RunStatus status)
    {
        if (request.Json)
            return new JsonLinesDisplay(Console.Out);
        var program = SiloProgram.IsPublished(AppContext.BaseDirectory) ? $"dotnet {Environment.GetCommandLineArgs()[0]}" : "dotnet run -c Release --project client --";
        var summary = new RunSummary(program, request.LogDir, Environment.CurrentDirectory);
        return AnsiConsole.Profile.Capabilities is { Ansi: true, Interactive: true } && !Console.IsOutputRedirected
            ? new TerminalDisplay(AnsiConsole.Console, status, summary)
            : new PlainDisplay(Console.Out, status, summary, TimeProvider.System);
    }

    private static void CreateFolder(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"--save-dir cannot be written: {e.Message.TrimEnd('.')}; name another folder.", e);
        }
    }
}
