using System.Text.RegularExpressions;

namespace PixelCnnCluster.Unit.Tests.House;

/// <summary>Which folders use types of which others, read from the code's text.</summary>
internal sealed partial class FolderGraph
{
    private readonly Dictionary<string, Dictionary<string, string>> _uses = [];

    /// <param name="files">Paths and their code, without comments and strings.</param>
    public FolderGraph(IReadOnlyList<(string Path, string Code)> files)
    {
        ILookup<string, (string Folder, string Namespace)> homes = files
            .SelectMany(
                file => Declarations().Matches(file.Code).Select(
                    match => (Name: match.Groups["name"].Value, Home: (Folder(file.Path), NamespaceOf(file.Code)))))
            .Distinct().ToLookup(pair => pair.Name, pair => pair.Home);
        foreach ((string path, string code) in files)
        {
            string own = NamespaceOf(code);
            HashSet<string> seen = [.. Usings().Matches(code).Select(match => match.Groups["name"].Value)];
            foreach (string name in Identifiers().Matches(code).Select(match => match.Value).Distinct())
            {
                foreach ((string folder, string space) in homes[name].Where(
                    home => home.Folder != Folder(path) && (seen.Contains(home.Namespace) || IsWithin(own, home.Namespace))))
                    Note(Folder(path), folder, $"{path} uses {name}");
            }
        }
    }

    /// <summary>A circle as its edges, each with a file that makes it; null if there is none.</summary>
    public IReadOnlyList<string>? Circle()
    {
        HashSet<string> done = [];
        foreach (string start in _uses.Keys.Order(StringComparer.Ordinal))
        {
            if (Follow(start, []) is { } circle)
                return circle;
        }

        return null;

        IReadOnlyList<string>? Follow(string folder, List<string> path)
        {
            int known = path.IndexOf(folder);
            if (known >= 0)
                return [.. path.Skip(known).Zip([.. path.Skip(known + 1), folder], (from, to) => $"{from} -> {to}: {_uses[from][to]}")];
            if (!done.Add(folder))
                return null;
            path.Add(folder);
            foreach (string next in _uses.GetValueOrDefault(folder)?.Keys.Order(StringComparer.Ordinal) ?? Enumerable.Empty<string>())
            {
                if (Follow(next, path) is { } circle)
                    return circle;
            }

            path.RemoveAt(path.Count - 1);
            return null;
        }
    }

    private static bool IsWithin(string inner, string outer) => inner == outer || inner.StartsWith(outer + ".", StringComparison.Ordinal);

    private static string Folder(string path) => Path.GetDirectoryName(path)!;

    private static string NamespaceOf(string code) => Namespaces().Match(code).Groups["name"].Value;

    private void Note(string from, string to, string why)
    {
        if (!_uses.TryGetValue(from, out Dictionary<string, string>? known))
            _uses[from] = known = [];
        known.TryAdd(to, why);
    }

    [GeneratedRegex(@"\b(class|struct|interface|enum|record)\s+(struct\s+|class\s+)?(?<name>[A-Z]\w*)")]
    private static partial Regex Declarations();

    [GeneratedRegex(@"^using (static )?(?<name>[\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Usings();

    [GeneratedRegex(@"^namespace (?<name>[\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Namespaces();

    [GeneratedRegex(@"\b[A-Z]\w*\b")]
    private static partial Regex Identifiers();
}
