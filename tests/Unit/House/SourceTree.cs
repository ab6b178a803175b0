using System.Text.RegularExpressions;

namespace PixelCnnCluster.Unit.Tests.House;

/// <summary>The repository's own code, as text.</summary>
internal static partial class SourceTree
{
    private static readonly string[] Rooms = ["silos", "grains", "client", "tests"];

    /// <summary>Paths relative to the root, without those that a build or a test run writes.</summary>
    public static IReadOnlyList<string> Files(string pattern) =>
    [
        .. Rooms.SelectMany(room => Directory.EnumerateFiles(Path.Combine(Repository.Root, room), pattern, SearchOption.AllDirectories))
            .Select(path => Path.GetRelativePath(Repository.Root, path))
            .Where(path => !path.Split('/').Any(part => part is "bin" or "obj" or "results"))
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>Code without comments and without the text of strings.</summary>
    public static string CodeOf(string path) => Words().Replace(Repository.Read(path), match => match.Value[0] is '/' ? "" : "\"\"");

    [GeneratedRegex("""(?s:""\".*?"{3,})|@"(?:[^"]|"")*"|"(?:[^"\\\n]|\\.)*"|//[^\n]*|(?s:/\*.*?\*/)""")]
    private static partial Regex Words();
}
