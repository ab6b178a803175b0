using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Training;

/// <summary>Where runs, jobs and models may read and write. Paths come from consoles, so each is checked where it is used.</summary>
/// <param name="roots">Folders; none allows every path.</param>
public class AllowedFolders(IReadOnlyList<string> roots)
{
    /// <summary>As many as the kernel follows.</summary>
    private const int MostLinks = 40;

    /// <summary>Lets every path pass.</summary>
    public static AllowedFolders All { get; } = new([]);

    /// <summary>Checks that a path leads below one of the folders, whatever dots and links it has.</summary>
    /// <param name="what">Names it in the mistake: its flag, where it has one.</param>
    /// <exception cref="UserErrorException">It does not.</exception>
    public virtual void Check(string path, string what)
    {
        if (roots.Count > 0 && !roots.Any(root => IsBelow(Resolve(path), Resolve(root))))
            throw new UserErrorException(
                $"{what} {path} is outside of the folders that the silos may use; name a place below {string.Join(" or ", roots)}.");
    }

    /// <summary>All paths of a run.</summary>
    /// <exception cref="UserErrorException">One is outside.</exception>
    public void Check(RunSpec spec)
    {
        Check(spec.SaveDir, "--save-dir");
        if (spec.DataSet != DataSet.Digits)
            Check(spec.DataDir, "--data-dir");
        if (spec.LoadParams is { } given)
            Check(given, "--load-params");
    }

    private static bool IsBelow(string path, string root) =>
        path == root || path.StartsWith(root.TrimEnd('/') + '/', StringComparison.Ordinal);

    /// <summary>
    /// Where .NET's calls lead: they take the dots out of a path as it is written, and give the rest to the kernel, which walks it from
    /// left to right, each link in its place, with the dots that links have. What does not exist is taken as written.
    /// </summary>
    private static string Resolve(string path)
    {
        var left = new Stack<string>(Parts(Path.GetFullPath(path)));
        string walked = "/";
        for (int links = 0; left.TryPop(out string? part);)
        {
            if (part == "..")
            {
                walked = Path.GetDirectoryName(walked) ?? "/";
                continue;
            }

            string next = Path.Combine(walked, part);
            if (new FileInfo(next).LinkTarget is not { } target)
            {
                walked = next;
                continue;
            }

            if (++links > MostLinks)
                throw new UserErrorException($"{path} goes through too many links; name the place itself.");
            if (target.StartsWith('/'))
                walked = "/";
            foreach (string step in Parts(target))
                left.Push(step);
        }

        return walked;
    }

    /// <summary>The last first, as a stack takes them.</summary>
    private static IEnumerable<string> Parts(string path) => path.Split('/').Where(part => part is not ("" or ".")).Reverse();
}
