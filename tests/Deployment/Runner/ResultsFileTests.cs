using System.Xml.Linq;
using PixelCnnCluster.Runner;

namespace PixelCnnCluster.Deployment.Tests.Runner;

public sealed class ResultsFileTests
{
    private const string Results = """
        <testsuites><testsuite tests="3" errors="1">
        <testcase name="N.A.Passes(x: 1.5)" time="0.250000" classname="N.A" />
        <testcase name="N.A.Fails" time="1.5" classname="N.A"><failure message="Expected: 1&#xA;Actual: 2">   at N.A.Fails() in /r/tests/A.cs:line 6</failure>
        <system-out>&lt;&lt;&lt; Test output &gt;&gt;&gt;

        the last line</system-out></testcase>
        <testcase name="N.A.Skips" time="0" classname="N.A"><skipped>why</skipped></testcase>
        <system-err>One or more exceptions occurred during cleanup:
           at N.Fixture.Dispose() in /r/tests/A.cs:line 2</system-err>
        </testsuite></testsuites>
        """;

    private readonly IReadOnlyList<EndedTest> _tests = ResultsFile.Read("Unit.Tests", XDocument.Parse(Results));

    [Fact]
    public void Tests_are_read_with_their_ends()
    {
        Assert.Equal(
            [("A.Passes(x: 1.5)", Outcome.Passed), ("A.Fails", Outcome.Failed), ("A.Skips", Outcome.Skipped),
                ("the cleanup of Unit.Tests", Outcome.Failed)],
            _tests.Select(test => (test.ShortName, test.Outcome)));
        Assert.Equal("1 passed, 2 failed, 1 skipped", Summary.Counts([.. _tests]));
        Assert.Equal("A.Passes", _tests[0].Word);
    }

    [Fact]
    public void A_failure_is_told_in_a_few_lines() =>
        Assert.Equal(
            [
                "FAIL Unit.Tests: A.Fails", "    Expected: 1", "    Actual: 2", "    at N.A.Fails in tests/A.cs:6", "    Output:",
                "    | the last line",
                "    Repeat: tests/run --no-build --long --test A.Fails", "",
            ],
            FailureText.Lines(_tests[1], "/r", isLong: true));

    [Fact]
    public void A_failed_cleanup_has_no_command() =>
        Assert.Equal(
            ["FAIL Unit.Tests: the cleanup of Unit.Tests", "    One or more exceptions occurred during cleanup:",
                "    at N.Fixture.Dispose in tests/A.cs:2", ""],
            FailureText.Lines(_tests[3], "/r", isLong: false));

    [Fact]
    public void Long_texts_are_cut()
    {
        string[] lines = [.. FailureText.Lines(
            _tests[1] with
            {
                Message = string.Join('\n', Enumerable.Range(1, 1000)),
                Stack = string.Concat(
                    Enumerable.Range(1, 100).Select(
                        line => $"   at System.Call.Me(String a) in /_/Call.cs:line 1\n   at N.A.Fails() in /r/tests/A.cs:line {line}\n")),
                Output = string.Join('\n', Enumerable.Range(1, 1000)),
            },
            "/r", isLong: false)];
        Assert.InRange(lines.Length, 10, 80);
        Assert.Contains("    | 1000", lines);
        Assert.Contains("    at N.A.Fails in tests/A.cs:1", lines);
        Assert.DoesNotContain(lines, line => line.Contains("System.Call", StringComparison.Ordinal));
    }

    [Fact]
    public void A_failure_outside_the_repository_shows_where_it_began() =>
        Assert.Equal(["at A.B()", "at C.D()"], FailureText.Frames("   at A.B()\n   at C.D()\n   at E.F()", "/r"));
}
