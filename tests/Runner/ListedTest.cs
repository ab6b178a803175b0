using System.Text.Json;

namespace PixelCnnCluster.Runner;

/// <summary>A test as its program lists it.</summary>
public sealed record ListedTest(TestProject Project, string Class, string Method, bool IsExplicit, IReadOnlyCollection<string> Needs)
{
    public bool NeedsProcesses => Needs.Contains("processes");


    /// <summary>Reads what the flag -list full/json prints.</summary>
    public static IReadOnlyList<ListedTest> Read(TestProject project, string printed)
    {
        // The program ends with a code that resets the colors of a terminal.
        (int first, int last) = (printed.IndexOf('[', StringComparison.Ordinal), printed.LastIndexOf(']'));
        if (first < 0 || last < first)
            throw new InvalidDataException($"{project.Name} does not list its tests: {printed.Trim()}");
        using var document = JsonDocument.Parse(printed[first..(last + 1)]);
        return [.. document.RootElement.EnumerateArray().Select(test => new ListedTest(
            project,
            test.GetProperty(nameof(Class)).GetString()!,
            test.GetProperty(nameof(Method)).GetString()!,
            test.GetProperty("Explicit").GetBoolean(),
            test.TryGetProperty("Traits", out JsonElement traits) && traits.TryGetProperty(nameof(Needs), out JsonElement needs)
                ? [.. needs.EnumerateArray().Select(value => value.GetString()!)]
                : []))];
    }
}
