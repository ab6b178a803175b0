using System.Globalization;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Training;

/// <summary>The checkpoints of one run.</summary>
public static class CheckpointFolder
{
    /// <summary>Nobody writes on a file for so long without touching it.</summary>
    private static readonly TimeSpan Abandoned = TimeSpan.FromMinutes(10);

    /// <summary>Writes a checkpoint into the folder and removes those that need not stay.</summary>
    public static CheckpointReport Save(Checkpoint checkpoint, string folder, int keep)
    {
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, CheckpointHeader.FileName(checkpoint.Step));
        var report = new CheckpointReport(path, checkpoint.Write(path), checkpoint.StateHash);
        Prune(folder, keep);
        return report;
    }

    /// <summary>Deletes all but the newest <paramref name="keep"/> and the one with the best test score, and what a killed writer left half-written. What cannot be deleted stays.</summary>
    public static void Prune(string folder, int keep)
    {
        IReadOnlyList<string> newestFirst = CheckpointHeader.NewestFirst(folder);
        string? best = newestFirst.MinBy(path => TestScore(path) ?? double.PositiveInfinity);
        IEnumerable<string> abandoned = Directory.GetFiles(folder, "step-*.part").Where(path => DateTime.UtcNow - File.GetLastWriteTimeUtc(path) > Abandoned);
        foreach (string path in newestFirst.Skip(keep).Where(path => path != best).Concat(abandoned))
        {
            try
            {
                File.Delete(path);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                // The next checkpoint tries again.
            }
        }
    }

    private static double? TestScore(string path)
    {
        try
        {
            return CheckpointHeader.Read(path).Metadata.TryGetValue("test_bits_per_dim", out string? score)
                ? double.Parse(score, CultureInfo.InvariantCulture)
                : null;
        }
        catch (UserErrorException)
        {
            return null;
        }
    }
}
