using System.Globalization;

namespace PixelCnnCluster.Runner;

/// <summary>What is printed at the end.</summary>
public static class Summary
{
    private const int MostSlow = 10;

    public static IEnumerable<string> Slowest(IEnumerable<EndedTest> tests) =>
    [
        "Slowest tests:",
        .. tests.Where(test => test.Time > TimeSpan.Zero).OrderByDescending(test => test.Time).Take(MostSlow).Select(
            test => $"{Seconds(test.Time)}  {test.Project}: {test.ShortName}"),
        "",
    ];

    /// <summary>The time of the programs and the sum of their tests' times, which is more where tests run at once.</summary>
    public static IEnumerable<string> Times(IEnumerable<RunReport> reports) =>
    [
        "Time by project:  programs   tests",
        .. reports.GroupBy(report => report.Run.Project.Name).Select(group => string.Create(CultureInfo.InvariantCulture,
            $"{group.Key,-16}{Seconds(Sum(group.Select(report => report.Time)))}" +
            $"{Seconds(Sum(group.SelectMany(report => report.Tests).Select(test => test.Time)))}  " +
            $"{group.Sum(report => report.Tests.Count)} tests")),
        "",
    ];

    /// <summary>The form that readers of test output know.</summary>
    public static string Counts(IReadOnlyCollection<EndedTest> tests)
    {
        int Count(Outcome outcome) => tests.Count(test => test.Outcome == outcome);
        int skipped = Count(Outcome.Skipped);
        return $"{Count(Outcome.Passed)} passed, {Count(Outcome.Failed)} failed{(skipped == 0 ? "" : $", {skipped} skipped")}";
    }

    /// <summary>Which tests failed in how many rounds, most often first.</summary>
    public static IEnumerable<string> Rounds(IReadOnlyCollection<IReadOnlyList<EndedTest>> rounds)
    {
        string[] failures = [.. rounds.SelectMany(
            round => round.Where(test => test.Outcome == Outcome.Failed).Select(test => $"{test.Project}: {test.ShortName}").Distinct())
            .CountBy(name => name)
            .OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key, StringComparer.Ordinal)
            .Select(pair => $"failed {pair.Value} of {rounds.Count}  {pair.Key}")];
        return failures.Length > 0 ? failures : [$"Nothing failed in {rounds.Count} rounds."];
    }

    public static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds,8:F1} s");

    private static TimeSpan Sum(IEnumerable<TimeSpan> times) => new(times.Sum(time => time.Ticks));
}
