namespace PixelCnnCluster.Runner;

/// <summary>
/// Programs of one lane run one after the other, beside those of the other lane.
/// </summary>
public enum Lane
{
    /// <summary>
    /// Tests whose silos wait for each other a part of the time. With more silos at once than this, they would wait for cores instead.
    /// </summary>
    Silos,

    Others,
}

/// <summary>One start of a test program with a part of its tests.</summary>
/// <param name="IsNice">Its tests compute, and leave the cores to those that wait, which have deadlines.</param>
public sealed record PlannedRun(TestProject Project, string Kind, Lane Lane, bool IsNice, IReadOnlyList<string> Flags)
{
    public string Name => $"{Project.Name} {Kind}";

    public string FileName => $"{Project.Name}-{Kind}";

    /// <summary>Its tests start silos and consoles, which live for seconds.</summary>
    public bool HasShortProcesses => Kind == Plan.ProcessesKind && !IsNice;
}

public static class Plan
{
    /// <summary>Name of the kind whose tests start processes.</summary>
    public const string ProcessesKind = "processes";

    private const string Processes = "Needs=processes";

    private sealed record Kind(string Name, Func<ListedTest, bool> Has, params string[] Flags);

    private static readonly Kind WithProcesses = new(
        ProcessesKind, test => test.NeedsProcesses, "-trait", Processes);
    private static readonly Kind Fast = new("fast", test => !test.NeedsProcesses, "-trait-", Processes);

    /// <summary>What to start for the selected ones of these tests. A program that would have no test is left out.</summary>
    public static IReadOnlyList<PlannedRun> Make(IEnumerable<ListedTest> tests, Selection selection)
    {
        ListedTest[] selected = [.. tests.Where(
            test => (selection.IsLong || !test.IsExplicit) && !(selection.IsFast && test.NeedsProcesses))];
        return [.. from kind in new[] { WithProcesses, Fast }
                   from project in selected.Where(kind.Has).Select(test => test.Project).Distinct()
                   select new PlannedRun(
                       project, kind.Name, LaneOf(kind, project), IsNice(kind, project), [.. kind.Flags, .. selection.Flags])];
    }

    private static Lane LaneOf(Kind kind, TestProject project) =>
        kind == WithProcesses && project.Name == "Cluster.Tests" ? Lane.Silos : Lane.Others;

    /// <summary>The processes of Unit are compilers and interpreters.</summary>
    private static bool IsNice(Kind kind, TestProject project) => kind == Fast || (kind == WithProcesses && project.Name == "Unit.Tests");
}
