using PixelCnnCluster.Runner;

namespace PixelCnnCluster.Deployment.Tests.Runner;

public sealed class PlanTests
{
    private static readonly TestProject Unit = new("Unit.Tests", "unit.dll"), Cluster = new("Cluster.Tests", "cluster.dll");

    private static readonly Selection All = new(IsFast: false, IsLong: false, []);

    private static readonly ListedTest[] Tests =
    [
        Test(Cluster, "processes"), Test(Cluster, "processes", "time") with { IsExplicit = true }, Test(Unit), Test(Unit, "processes"),
    ];

    [Fact]
    public void Waiting_tests_run_beside_computing_ones_which_are_nice()
    {
        Assert.Equal(
            [
                ("Cluster.Tests processes", Lane.Silos, false), ("Unit.Tests processes", Lane.Others, true),
                ("Unit.Tests fast", Lane.Others, true),
            ],
            Plan.Make(Tests, All).Select(run => (run.Name, run.Lane, run.IsNice)));
    }

    [Fact]
    public void Fast_tests_start_no_process()
    {
        IReadOnlyList<PlannedRun> plan = Plan.Make(Tests, All with { IsFast = true });
        Assert.Equal(["Unit.Tests fast"], plan.Select(run => run.Name));
        Assert.All(plan, run => Assert.Contains("-trait- Needs=processes", string.Join(' ', run.Flags), StringComparison.Ordinal));
    }

    [Fact]
    public void Long_tests_run_when_asked_for()
    {
        ListedTest[] tests = [Test(Cluster, "time") with { IsExplicit = true }];
        Assert.Empty(Plan.Make(tests, All));
        Assert.EndsWith(
            "-explicit on", string.Join(' ', Assert.Single(Plan.Make(tests, All with { IsLong = true })).Flags), StringComparison.Ordinal);
        Assert.Equal(
            ["1:2000", "1:10000", null],
            new[] { All, All with { IsLong = true }, All with { IsFast = true } }.Select(selection => selection.Seeds));
    }

    [Fact]
    public void A_word_is_looked_for_anywhere_in_the_name() =>
        Assert.Equal(["-method", "*Fault*", "-method", "*Tls*"], (All with { Words = ["Fault", "*Tls"] }).Flags);

    [Fact]
    public void A_listed_test_has_its_traits()
    {
        const string printed = """
            [{"DisplayName":"A.B.C","Class":"A.B","Method":"C","Explicit":true,"Traits":{"Needs":["processes","time"]}},{"Class":"A.B","Method":"D","Explicit":false}]
            """;
        IReadOnlyList<ListedTest> tests = ListedTest.Read(Unit, printed + "\e[0m");
        Assert.Equal(
            [("A.B", "C", true, true), ("A.B", "D", false, false)],
            tests.Select(test => (test.Class, test.Method, test.IsExplicit, test.NeedsProcesses)));
        Assert.Contains(
            "no such file", Assert.Throws<InvalidDataException>(() => ListedTest.Read(Unit, "no such file")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Every_test_project_is_found() =>
        Assert.Equal(
            Directory.EnumerateFiles(Path.Combine(Repository.Root, "tests"), "*.Tests.csproj", SearchOption.AllDirectories)
                .Select(Path.GetFileNameWithoutExtension).Order(),
            TestProject.Find(Repository.Root).Select(project => project.Name));

    private static ListedTest Test(TestProject project, params string[] needs) =>
        new(project, "Some.Tests", "Works", IsExplicit: false, needs);
}
