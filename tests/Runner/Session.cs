namespace PixelCnnCluster.Runner;

/// <summary>Lists the tests, starts their programs lane beside lane and prints one line for each program that ends.</summary>
public sealed class Session(string root, Selection selection, TextWriter output)
{
    private static readonly TimeSpan ListTimeout = TimeSpan.FromMinutes(2);

    public async Task<IReadOnlyList<PlannedRun>> PlanAsync(CancellationToken cancellation)
    {
        IReadOnlyList<TestProject> projects = TestProject.Find(root);
        if (projects.FirstOrDefault(project => !File.Exists(project.Program)) is { } missing)
            throw new UsageException($"{missing.Name} is not built; run tests/run without --no-build, or dotnet build -c Release.");
        IReadOnlyList<ListedTest>[] tests = await Task.WhenAll(projects.Select(project => ListAsync(project, cancellation)));
        IReadOnlyList<PlannedRun> plan = Plan.Make(tests.SelectMany(list => list), selection);
        if (plan.Count > 0)
            return plan;
        string words = selection.Words.Count == 0 ? "No test is selected."
            : $"No selected test has {string.Join(" or ", selection.Words)} in its class or name.";
        throw new UsageException($"{words}{(selection.IsLong ? "" : " Tests that take long are selected with --long only.")}");
    }

    /// <summary>Runs the plan with its results in this folder.</summary>
    public async Task<IReadOnlyList<RunReport>> RunAsync(
        IReadOnlyList<PlannedRun> plan, string results, int busy, CancellationToken cancellation)
    {
        Directory.CreateDirectory(results);
        using var loops = new BusyLoops(busy);
        async Task<List<RunReport>> LaneAsync(IEnumerable<PlannedRun> runs)
        {
            var reports = new List<RunReport>();
            foreach (PlannedRun run in runs.TakeWhile(_ => !cancellation.IsCancellationRequested))
            {
                // Beside busy loops a program that leaves the cores to others would hardly run.
                bool isNice = run.IsNice && busy == 0;
                reports.Add(await new TestProgram(run, results, output).RunAsync(isNice, selection, cancellation));
            }

            return reports;
        }

        List<RunReport>[] lanes = await Task.WhenAll(plan.GroupBy(run => run.Lane).Select(LaneAsync));
        return [.. lanes.SelectMany(reports => reports)];
    }

    public void PrintFailures(IEnumerable<EndedTest> tests)
    {
        foreach (EndedTest test in tests.Where(test => test.Outcome == Outcome.Failed))
            Print(FailureText.Lines(test, root, selection.IsLong));
    }

    public void Print(IEnumerable<string> lines) => output.WriteLine(string.Join('\n', lines));

    private async Task<IReadOnlyList<ListedTest>> ListAsync(TestProject project, CancellationToken cancellation)
    {
        var lines = new List<string>();
        await ChildProgram.RunAsync(
            ["dotnet", project.Program, "-list", "full/json", .. selection.Flags], new Dictionary<string, string?>(), lines.Add,
            ListTimeout, cancellation);
        cancellation.ThrowIfCancellationRequested();
        return ListedTest.Read(project, string.Join('\n', lines));
    }
}
