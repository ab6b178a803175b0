using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Files;

/// <summary>Where paths lead.</summary>
public static class RealPath
{
    /// <summary>As many as the kernel follows.</summary>
    private const int MostLinks = 40;

    /// <summary>
    /// Where .NET's calls lead: they take the dots out of a path as it is written, and give the rest to the kernel, which walks it from
    /// left to right, each link in its place, with the dots that links have. What does not exist is taken as written.
    /// </summary>
    /// <exception cref="UserErrorException">There are too many links.</exception>
    public static string Of(string path)
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

    /// <summary>
    /// Refuses a link where the program writes a file under a name that others know: it could lead out of the folder.
    /// </summary>
    /// <exception cref="IOException">There is a link.</exception>
    public static void RefuseLink(string path)
    {
        if (new FileInfo(path).LinkTarget is { } target)
            throw new IOException($"{path} is a link to {target}; put the file itself there");
    }

    /// <summary>Whether a path is a folder or lies below it. Both are real paths.</summary>
    public static bool IsWithin(string path, string folder) =>
        path == folder || path.StartsWith(folder.TrimEnd('/') + '/', StringComparison.Ordinal);

    /// <summary>The last first, as a stack takes them.</summary>
    private static IEnumerable<string> Parts(string path) => path.Split('/').Where(part => part is not ("" or ".")).Reverse();
}
