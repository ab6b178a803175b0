using PixelCnnCluster.Runner;

namespace PixelCnnCluster.Deployment.Tests.Runner;

public sealed class SummaryTests
{
    private static readonly TestProject Unit = new("Unit.Tests", "unit.dll");

    [Fact]
    public void The_ten_slowest_tests_come_first()
    {
        string[] lines = [.. Summary.Slowest(Enumerable.Range(1, 30).Select(second => Test($"T{second}", Outcome.Passed, second)))];
        Assert.Equal(["    30.0 s  Unit.Tests: A.T30", "    29.0 s  Unit.Tests: A.T29"], lines[1..3]);
        Assert.Equal(["    21.0 s  Unit.Tests: A.T21", ""], lines[10..]);
    }

    [Fact]
    public void Time_is_told_by_project()
    {
        var fast = new RunReport(
            new PlannedRun(Unit, "fast", Lane.Others, true, []), TimeSpan.FromSeconds(3),
            [Test("T", Outcome.Passed, 2), Test("U", Outcome.Passed, 2)]);
        Assert.Equal(
            "Unit.Tests           6.0 s     8.0 s  4 tests",
            Summary.Times([fast, fast with { Run = fast.Run with { Kind = "processes" } }]).ElementAt(1));
        Assert.Equal("     3.0 s  Unit.Tests fast: 2 passed, 0 failed", fast.ToString());
    }

    [Fact]
    public void A_test_that_is_not_steady_is_told_with_its_number_of_failures()
    {
        EndedTest[] good = [Test("T", Outcome.Passed, 1)], bad = [Test("T", Outcome.Failed, 1), Test("T", Outcome.Failed, 1)];
        Assert.Equal(["failed 2 of 3  Unit.Tests: A.T"], Summary.Rounds([bad, good, bad]));
        Assert.Equal(["Nothing failed in 2 rounds."], Summary.Rounds([good, good]));
    }

    [Fact]
    public void Coverage_is_told_by_assembly_and_for_classes_with_little()
    {
        const string json = """
            {"summary": {"linecoverage": 81.2, "branchcoverage": 70.5}, "coverage": {"assemblies": [{"name": "PixelCnnCluster.Model", "coverage": 81.2, "branchcoverage": null,
            "classesinassembly": [{"name": "PixelCnnCluster.Model.A", "coverage": 69.9}, {"name": "PixelCnnCluster.Model.B", "coverage": 90}]}]}}
            """;
        Assert.Equal(
            ["Coverage:         lines  branches", "all              81.2 %    70.5 %", "Model            81.2 %   100.0 %", "",
                "Classes with less than 70 % of their lines:", "  69.9 %  Model.A", ""],
            CoverageSummary.Lines(json));
    }

    private static EndedTest Test(string name, Outcome outcome, double seconds) =>
        new("Unit.Tests", "N.A", $"N.A.{name}", outcome, TimeSpan.FromSeconds(seconds));
}
