using PixelCnnCluster.Files;

namespace PixelCnnCluster.Training.History;

/// <summary>
/// The folder of one run. Its history or a checkpoint marks it: a folder without either may be the place of a volume that is not mounted,
/// and nothing is written there.
/// </summary>
public static class RunFolder
{
    /// <summary>Makes the folder with an empty history, unless it has one.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be written to.</exception>
    public static void Make(string folder)
    {
        Directory.CreateDirectory(folder);
        RealPath.RefuseLink(HistoryIn(folder));
        File.Open(HistoryIn(folder), FileMode.OpenOrCreate, FileAccess.Read, FileShare.ReadWrite).Dispose();
    }

    /// <exception cref="DirectoryNotFoundException">The run's folder is not there.</exception>
    public static void Require(string folder)
    {
        if (!File.Exists(HistoryIn(folder)) && CheckpointHeader.NewestFirst(folder) is [])
        {
            throw new DirectoryNotFoundException(
                $"{HistoryIn(folder)} is not there; see that its volume is mounted, or make an empty file of that name if it was deleted");
        }
    }

    private static string HistoryIn(string folder) => Path.Combine(folder, HistoryFile.Name);
}
