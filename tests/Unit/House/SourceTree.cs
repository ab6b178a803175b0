using System.Text.RegularExpressions;

namespace PixelCnnCluster.Unit.Tests.House;

/// <summary>The repository's own files, as text.</summary>
internal static partial class SourceTree
{
    public static string Root { get; } = FindRoot();

    private static readonly string[] Rooms = ["silos", "grains", "client", "tests"];

    /// <summary>Paths relative to the root, without those that a build or a test run writes.</summary>
    public static IReadOnlyList<string> Files(string pattern) =>
    [
        .. Rooms.SelectMany(room => Directory.EnumerateFiles(Path.Combine(Root, room), pattern, SearchOption.AllDirectories))
            .Select(path => Path.GetRelativePath(Root, path))
            .Where(path => !path.Split('/').Any(part => part is "bin" or "obj" or "results"))
            .Order(StringComparer.Ordinal),
    ];

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    /// <summary>Code without comments and without the text of strings.</summary>
    public static string CodeOf(string path) => Words().Replace(Read(path), match => match.Value[0] is '/' ? "" : "\"\"");

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "PixelCnnCluster.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException($"No PixelCnnCluster.sln above {AppContext.BaseDirectory}.");
    }

    [GeneratedRegex("""(?s:""\".*?"{3,})|@"(?:[^"]|"")*"|"(?:[^"\\\n]|\\.)*"|//[^\n]*|(?s:/\*.*?\*/)""")]
    private static partial Regex Words();
}
