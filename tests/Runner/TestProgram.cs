using System.Diagnostics;

namespace PixelCnnCluster.Runner;

/// <summary>Runs one planned program and reads its results.</summary>
public sealed class TestProgram(PlannedRun run, string results, TextWriter output)
{
    private const int MostTail = 30;

    /// <summary>
    /// Calls of a method before it is compiled once more, as hexadecimal digits. A process that lives for seconds does not get back what
    /// that costs: with the usual 30 calls the tests on silos take a third more time of the cores.
    /// </summary>
    private const string RecompileAfter = "7530";

    private readonly List<string> _lines = [];
    private readonly string _file = Path.Combine(results, $"{run.FileName}.xml");

    public async Task<RunReport> RunAsync(bool isNice, Selection selection, CancellationToken cancellation)
    {
        string[] command =
        [
            .. isNice ? ["nice", "-n", "10"] : Array.Empty<string>(),
            "dotnet", run.Project.Program, "-noLogo", "-noColor", "-noAutoReporters", "-reporter", "verbose", "-result-junit", _file,
            .. run.Flags,
        ];
        var environment = new Dictionary<string, string?> { ["PIXELCNN_TEST_RESULTS"] = results };
        if (run.HasShortProcesses)
            environment["DOTNET_TC_CallCountThreshold"] = RecompileAfter;
        if (selection.Seeds is { } seeds)
            environment["PIXELCNN_SIMULATION_SEEDS"] = seeds;
        // CsCheck reads it.
        if (selection.FuzzingSeconds is { } seconds)
            environment["CsCheck_Time"] = seconds;
        var watch = Stopwatch.StartNew();
        ChildEnd end;
        await using (var log = new StreamWriter(Path.Combine(results, $"{run.FileName}.log")))
            end = await ChildProgram.RunAsync(command, environment, line => Read(line, log), selection.SilenceTimeout, cancellation);
        var report = new RunReport(run, watch.Elapsed, Results(end, selection, cancellation));
        await output.WriteLineAsync(report.ToString());
        return report;
    }

    private void Read(string line, StreamWriter log)
    {
        _lines.Add(line);
        log.WriteLine(line);
        if (ProgramOutput.Failed(line) is { } test)
            output.WriteLine($"    failed  {run.Project.Name}: {test}");
    }

    private IReadOnlyList<EndedTest> Results(ChildEnd end, Selection selection, CancellationToken cancellation)
    {
        if (cancellation.IsCancellationRequested)
            return ProgramOutput.Finished(run.Project.Name, _lines);
        IReadOnlyList<EndedTest>? tests = end.Code is 0 or 1 && File.Exists(_file) ? ResultsFile.Read(run.Project.Name, _file) : null;
        string? fault = end switch
        {
            { WasSilent: true } => $"It hung: no line for {selection.SilenceTimeout.TotalMinutes} minutes.",
            _ when tests is null => $"It ended with code {end.Code} and left no results.",
            _ when tests.Count == 0 => "It ran no test.",
            { Code: 1 } when tests.All(test => test.Outcome != Outcome.Failed) => "It ended with code 1, but no test failed.",
            _ => null,
        };
        if (fault is null)
            return tests!;
        string running = string.Concat(ProgramOutput.Running(_lines).Select(test => $"\nIn progress: {test}"));
        return
        [
            .. tests ?? ProgramOutput.Finished(run.Project.Name, _lines),
            new EndedTest(run.Project.Name, "", $"the program of {run.Name}", Outcome.Failed, TimeSpan.Zero)
            {
                Message = fault + running,
                Output = string.Join('\n', FailureText.Tail(_lines, MostTail)),
            },
        ];
    }
}
