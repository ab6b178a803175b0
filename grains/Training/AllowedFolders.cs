using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;

namespace PixelCnnCluster.Training;

/// <summary>Where runs, jobs and models may read and write. Paths come from consoles, so each is checked where it is used.</summary>
/// <param name="roots">Folders; none allows every path.</param>
public class AllowedFolders(IReadOnlyList<string> roots)
{
    /// <summary>Lets every path pass.</summary>
    public static AllowedFolders All { get; } = new([]);

    /// <summary>Checks that a path leads below one of the folders, whatever dots and links it has.</summary>
    /// <param name="what">Names it in the mistake: its flag, where it has one.</param>
    /// <exception cref="UserErrorException">It does not.</exception>
    public virtual void Check(string path, string what)
    {
        if (roots.Count > 0 && !roots.Any(root => RealPath.IsWithin(RealPath.Of(path), RealPath.Of(root))))
            throw new UserErrorException(
                $"{what} {path} is outside of the folders that the silos may use; name a place below {string.Join(" or ", roots)}.");
    }

    /// <summary>All paths of a run.</summary>
    /// <exception cref="UserErrorException">One is outside.</exception>
    public void Check(RunSpec spec)
    {
        Check(spec.Output.SaveDir, "--save-dir");
        if (spec.Data.DataSet != DataSet.Digits)
            Check(spec.Data.DataDir, "--data-dir");
        if (spec.Output.LoadParams is { } given)
            Check(given, "--load-params");
    }
}
