using System.Globalization;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Training;

/// <summary>The checkpoints of one run.</summary>
public static class CheckpointFolder
{
    /// <summary>Writes a checkpoint into the folder and removes those that need not stay.</summary>
    public static CheckpointReport Save(Checkpoint checkpoint, string folder, int keep)
    {
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, CheckpointHeader.FileName(checkpoint.Step));
        var report = new CheckpointReport(path, checkpoint.Write(path), checkpoint.StateHash);
        Prune(folder, keep);
        return report;
    }

    /// <summary>Deletes all but the newest <paramref name="keep"/> and the one with the best test score, and what a killed writer left half-written.</summary>
    public static void Prune(string folder, int keep)
    {
        IReadOnlyList<string> newestFirst = CheckpointHeader.NewestFirst(folder);
        string? best = newestFirst.MinBy(path => TestScore(path) ?? double.PositiveInfinity);
        foreach (string path in newestFirst.Skip(keep).Where(path => path != best).Concat(Directory.GetFiles(folder, "step-*.part")))
            File.Delete(path);
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
