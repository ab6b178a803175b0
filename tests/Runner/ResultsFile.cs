using System.Globalization;
using System.Xml.Linq;

namespace PixelCnnCluster.Runner;

/// <summary>Reads the JUnit file of a test program.</summary>
public static class ResultsFile
{
    private const string OutputTitle = "<<< Test output >>>";

    public static IReadOnlyList<EndedTest> Read(string project, string path) => Read(project, XDocument.Load(path));

    public static IReadOnlyList<EndedTest> Read(string project, XDocument document) =>
        [.. document.Descendants("testcase").Select(test => Test(project, test)),
            .. document.Descendants("testsuite").SelectMany(suite => Cleanup(project, suite))];

    private static EndedTest Test(string project, XElement test)
    {
        XElement? failure = test.Element("failure") ?? test.Element("error");
        return new EndedTest(
            project,
            (string)test.Attribute("classname")!,
            (string)test.Attribute("name")!,
            failure is not null ? Outcome.Failed : test.Element("skipped") is not null ? Outcome.Skipped : Outcome.Passed,
            TimeSpan.FromSeconds(double.Parse((string)test.Attribute("time")!, CultureInfo.InvariantCulture)))
        {
            Message = (string?)failure?.Attribute("message") ?? "",
            Stack = failure?.Value ?? "",
            Output = ((string?)test.Element("system-out") ?? "").Replace(OutputTitle, "", StringComparison.Ordinal).Trim(),
        };
    }

    /// <summary>What a fixture threw at its end belongs to no test.</summary>
    private static IEnumerable<EndedTest> Cleanup(string project, XElement suite)
    {
        if ((int)suite.Attribute("errors")! == 0)
            yield break;
        string[] lines = ((string?)suite.Element("system-err") ?? "").Trim().Split('\n');
        yield return new EndedTest(project, "", $"the cleanup of {project}", Outcome.Failed, TimeSpan.Zero)
        {
            Message = string.Join('\n', lines.Where(line => !FailureText.IsStack(line))),
            Stack = string.Join('\n', lines.Where(FailureText.IsStack)),
        };
    }
}
