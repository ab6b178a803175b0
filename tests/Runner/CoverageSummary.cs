using System.Globalization;
using System.Text.Json;

namespace PixelCnnCluster.Runner;

/// <summary>The figures of each assembly, and those of classes that the tests leave out for a large part.</summary>
public static class CoverageSummary
{
    /// <summary>In percent of a class's lines.</summary>
    private const double Low = 70;

    private const string Prefix = "PixelCnnCluster.";

    /// <param name="json">The file Summary.json of the report.</param>
    public static IEnumerable<string> Lines(string json)
    {
        using var document = JsonDocument.Parse(json);
        JsonElement[] assemblies = [.. document.RootElement.GetProperty("coverage").GetProperty("assemblies").EnumerateArray()];
        return
        [
            "Coverage:         lines  branches",
            Row("all", document.RootElement.GetProperty("summary"), "linecoverage", "branchcoverage"),
            .. assemblies.Select(assembly => Row(Name(assembly), assembly, "coverage", "branchcoverage")),
            "",
            $"Classes with less than {Low} % of their lines:",
            .. from assembly in assemblies
               from type in assembly.GetProperty("classesinassembly").EnumerateArray()
               where Percent(type, "coverage") < Low
               orderby Percent(type, "coverage")
               select string.Create(CultureInfo.InvariantCulture, $"{Percent(type, "coverage"),6:F1} %  {Name(type)}"),
            "",
        ];
    }

    private static string Row(string name, JsonElement element, string lines, string branches) =>
        string.Create(CultureInfo.InvariantCulture, $"{name,-14}{Percent(element, lines),7:F1} %{Percent(element, branches),8:F1} %");

    private static string Name(JsonElement element) =>
        element.GetProperty("name").GetString()!.Replace(Prefix, "", StringComparison.Ordinal);

    /// <summary>What has no branch has no figure either: nothing is left out.</summary>
    private static double Percent(JsonElement element, string name) =>
        element.GetProperty(name) is { ValueKind: JsonValueKind.Number } value ? value.GetDouble() : 100;
}
