using System.CommandLine;
using PixelCnnCluster.Runner;

var fast = new Option<bool>("--fast") { Description = "Only tests that start no process and no server.", Recursive = true };
var isLong = new Option<bool>("--long")
{
    Description = "Also what only time shows: chaos with several seeds, ten thousand simulated " +
    "schedules, the soak, long fuzzing.",
    Recursive = true
};
var test = new Option<string[]>("--test")
{
    Description = "Only tests with this in their class or name. May be given several times.",
    HelpName = "PATTERN",
    DefaultValueFactory = _ => [],
    Recursive = true,
};
// The script beside this program does that part.
var noBuild = new Option<bool>("--no-build") { Description = "What is built runs as it is.", Recursive = true };
var coverage = new Option<bool>("--coverage") { Description = "Also prints which part of the lines and branches ran and writes a report." };
var times = new Option<int>("--times") { Description = "How often.", DefaultValueFactory = _ => 5 };
var busy = new Option<int>("--busy") { Description = "How many loops take time from the tests.", DefaultValueFactory = _ => 2 };
var command = new RootCommand("""
    Runs the tests. Results go to tests/results: a JUnit file and the output of each test program, and the silos' logs.
      tests/run                           all that continuous integration runs
      tests/run --fast                    in less than 90 seconds
      tests/run --test SamplingTests      one class, or any other part of a name
      tests/run --fast --coverage         with coverage of lines and branches
      tests/steady --test FaultTests      five times beside two busy loops
    """) { fast, isLong, test, noBuild, coverage };
var steady = new Command("steady", """
    Runs the tests several times beside busy loops and prints how often each failed.
      tests/steady                                     every class, five times
      tests/steady --times 20 --test Restart           any class or test with that in its name
      tests/steady --busy 8 --test A --test B          a busier machine
    """) { times, busy };
command.Subcommands.Add(steady);

string root = TestProject.FindRoot(AppContext.BaseDirectory);
string results = Path.Combine(root, "tests", "results");
var output = TextWriter.Synchronized(Console.Out);
command.Validators.Add(parsed =>
{
    if (parsed.GetValue(fast) && parsed.GetValue(isLong))
        parsed.AddError("--fast and --long exclude each other.");
});
steady.Validators.Add(parsed =>
{
    if (parsed.GetValue(times) < 1 || parsed.GetValue(busy) < 0)
        parsed.AddError("--times is 1 or more, --busy is 0 or more.");
});
command.SetAction(
    (parsed, cancellation) => GuardAsync(parsed, cancellation, session => RunAsync(session, parsed.GetValue(coverage), cancellation)));
steady.SetAction(
    (parsed, cancellation) => GuardAsync(
        parsed, cancellation, session => SteadyAsync(session, parsed.GetValue(times), parsed.GetValue(busy), cancellation)));

ParseResult line = command.Parse(args);
if (line.Errors.Count > 0)
{
    await Console.Error.WriteLineAsync(
        $"{string.Join('\n', line.Errors.Select(error => error.Message))}\nThe flag --help tells the flags.");
    return 2;
}

// A signal cancels, and then the programs end and the summary is printed.
return await line.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(1) });

async Task<int> GuardAsync(ParseResult parsed, CancellationToken cancellation, Func<Session, Task<IReadOnlyList<EndedTest>>> run)
{
    try
    {
        IReadOnlyList<EndedTest> tests = await run(
            new Session(root, new Selection(parsed.GetValue(fast), parsed.GetValue(isLong), parsed.GetValue(test)!), output));
        if (cancellation.IsCancellationRequested)
            await output.WriteLineAsync("Stopped before the end.");
        await output.WriteLineAsync(Summary.Counts(tests));
        return tests.Count == 0 || cancellation.IsCancellationRequested || tests.Any(result => result.Outcome == Outcome.Failed) ? 1 : 0;
    }
    catch (UsageException mistake)
    {
        await Console.Error.WriteLineAsync(mistake.Message);
        return 2;
    }
    catch (OperationCanceledException)
    {
        await Console.Error.WriteLineAsync("Stopped before the first test.");
        return 1;
    }
}

async Task<IReadOnlyList<EndedTest>> RunAsync(Session session, bool isCounted, CancellationToken cancellation)
{
    IReadOnlyList<PlannedRun> plan = await session.PlanAsync(cancellation);
    Empty();
    Coverage? counts = isCounted ? new Coverage(root, Path.Combine(results, "coverage"), output) : null;
    IReadOnlyList<RunReport> reports;
    try
    {
        if (counts is not null)
            await counts.InstrumentAsync(cancellation);
        reports = await session.RunAsync(plan, results, busy: 0, cancellation);
    }
    finally
    {
        counts?.Restore();
    }

    EndedTest[] tests = [.. reports.SelectMany(report => report.Tests)];
    session.Print([""]);
    session.PrintFailures(tests);
    session.Print([.. Summary.Slowest(tests), .. Summary.Times(reports)]);
    if (counts is not null && !cancellation.IsCancellationRequested)
        await counts.ReportAsync(cancellation);
    return tests;
}

async Task<IReadOnlyList<EndedTest>> SteadyAsync(Session session, int rounds, int loops, CancellationToken cancellation)
{
    IReadOnlyList<PlannedRun> plan = await session.PlanAsync(cancellation);
    Empty();
    var ended = new List<IReadOnlyList<EndedTest>>();
    for (int round = 1; round <= rounds && !cancellation.IsCancellationRequested; round++)
    {
        session.Print([$"Round {round} of {rounds}"]);
        string folder = Path.Combine(results, $"{round}");
        ended.Add([.. (await session.RunAsync(plan, folder, loops, cancellation)).SelectMany(report => report.Tests)]);
        session.PrintFailures(ended[^1]);
    }

    session.Print(["", .. Summary.Rounds(ended), ""]);
    return [.. ended.SelectMany(tests => tests)];
}

// The folder holds one run.
void Empty()
{
    if (Directory.Exists(results))
        Directory.Delete(results, recursive: true);
    Directory.CreateDirectory(results);
}
