using System.Globalization;
using System.Text.RegularExpressions;

namespace PixelCnnCluster.Runner;

/// <summary>The lines that a test program prints while it runs. They are all that a program leaves that crashes.</summary>
public static partial class ProgramOutput
{
    /// <summary>The test of which the line says that it failed.</summary>
    public static string? Failed(string line) =>
        Line().Match(line) is { Success: true } match && match.Groups["what"].Value == "FAIL" ? Short(match.Groups["test"].Value) : null;

    public static IEnumerable<string> Running(IEnumerable<string> lines)
    {
        var running = new List<string>();
        foreach (Match match in lines.Select(line => Line().Match(line)).Where(match => match.Success))
        {
            if (match.Groups["what"].Value == "STARTING")
                running.Add(match.Groups["test"].Value);
            else if (match.Groups["what"].Value == "FINISHED")
                running.Remove(match.Groups["test"].Value);
        }

        return running.Select(Short);
    }

    /// <summary>What the tests that ended came to, without messages.</summary>
    public static IReadOnlyList<EndedTest> Finished(string project, IEnumerable<string> lines)
    {
        var outcomes = new Dictionary<string, Outcome?>();
        var results = new List<EndedTest>();
        foreach (Match match in lines.Select(line => Line().Match(line)).Where(match => match.Success))
        {
            string test = match.Groups["test"].Value;
            if (match.Groups["what"].Value != "FINISHED")
                outcomes[test] = match.Groups["what"].Value switch
                {
                    "STARTING" => Outcome.Passed,
                    "FAIL" => Outcome.Failed,
                    "SKIP" => Outcome.Skipped,
                    _ => null
                };
            else if (outcomes.GetValueOrDefault(test) is { } outcome)
                results.Add(
                    new EndedTest(
                        project, ClassOf(test), test, outcome,
                        TimeSpan.FromSeconds(double.Parse(match.Groups["time"].Value, CultureInfo.InvariantCulture))));
        }

        return results;
    }

    private static string ClassOf(string test) =>
        MethodOf(test) is var method && method.LastIndexOf('.') is var dot and > 0 ? method[..dot] : "";

    private static string Short(string test) => new EndedTest("", ClassOf(test), test, Outcome.Passed, TimeSpan.Zero).ShortName;

    private static string MethodOf(string test) => test.Split('(')[0];

    [GeneratedRegex(
        @"^    (?<test>\S.*) \[(?<what>STARTING|FINISHED|FAIL|SKIP|NOT RUN)\]( Time: (?<time>[\d.]+)s)?$", RegexOptions.ExplicitCapture)]
    private static partial Regex Line();
}
