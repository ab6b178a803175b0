namespace PixelCnnCluster.Runner;

/// <summary>Programs of one lane run one after the other, beside those of the other lanes. Those of the last lane run when the others have ended.</summary>
public enum Lane
{
    /// <summary>Silos of many tests: they wait for each other most of the time.</summary>
    Silos,

    /// <summary>Consoles and what is deployed, which start a process for each thing.</summary>
    Programs,

    /// <summary>Its tests compute. They leave the cores to the waiting ones, which have deadlines.</summary>
    Computing,

    /// <summary>Its tests need the machine's whole speed.</summary>
    Alone,
}

/// <summary>One start of a test program with a part of its tests.</summary>
public sealed record PlannedRun(TestProject Project, string Kind, Lane Lane, IReadOnlyList<string> Flags)
{
    public string Name => $"{Project.Name} {Kind}";

    public string FileName => $"{Project.Name}-{Kind}";
}

public static class Plan
{
    private const string Processes = "Needs=processes", Machine = "Needs=machine";

    private sealed record Kind(string Name, Lane Lane, Func<ListedTest, bool> Has, params string[] Flags);

    private static readonly Kind[] Kinds =
    [
        new("processes", Lane.Programs, test => test.NeedsProcesses && !test.NeedsMachine, "-trait", Processes, "-trait-", Machine),
        new("fast", Lane.Computing, test => !test.NeedsProcesses && !test.NeedsMachine, "-trait-", Processes, "-trait-", Machine),
        new("machine", Lane.Alone, test => test.NeedsMachine, "-trait", Machine),
    ];

    /// <summary>What to start for the selected ones of these tests. A program that would have no test is left out.</summary>
    public static IReadOnlyList<PlannedRun> Make(IEnumerable<ListedTest> tests, Selection selection)
    {
        ListedTest[] selected = [.. tests.Where(test => (selection.IsLong || !test.IsExplicit) && !(selection.IsFast && test.NeedsProcesses))];
        string[] common = [.. selection.IsFast ? ["-trait-", Processes] : Array.Empty<string>(), .. selection.Flags];
        return [.. from kind in Kinds
                   from project in selected.Where(kind.Has).Select(test => test.Project).Distinct()
                   select new PlannedRun(project, kind.Name, LaneOf(kind, project), [.. kind.Flags, .. common])];
    }

    /// <summary>Most tests with processes are Cluster's; those of Unit are compilers and interpreters, which compute.</summary>
    private static Lane LaneOf(Kind kind, TestProject project) => (kind.Lane, project.Name) switch
    {
        (Lane.Programs, "Cluster.Tests") => Lane.Silos,
        (Lane.Programs, "Unit.Tests") => Lane.Computing,
        _ => kind.Lane,
    };
}
