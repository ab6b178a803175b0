using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;

namespace PixelCnnCluster.Training.Checkpoints;

/// <summary>The checkpoints of one run.</summary>
public static class CheckpointFolder
{
    /// <summary>Nobody writes on a file for so long without touching it.</summary>
    private static readonly TimeSpan Abandoned = TimeSpan.FromMinutes(10);

    private const string HeldSuffix = ".held";

    /// <summary>Keeps a checkpoint from being removed for some minutes, for a reader that is to come.</summary>
    public static void Hold(string path) => DiskFaults.Ignore(() =>
    {
        RealPath.RefuseLink(path + HeldSuffix);
        File.WriteAllBytes(path + HeldSuffix, []);
        File.SetLastWriteTimeUtc(path + HeldSuffix, DateTime.UtcNow);
    });

    /// <summary>Holds it for longer, if it is held.</summary>
    public static void HoldOn(string path)
    {
        // Asked for with every few images, and worth a write only now and then.
        var marker = new FileInfo(path + HeldSuffix);
        if (marker.Exists && DateTime.UtcNow - marker.LastWriteTimeUtc > Abandoned / 10)
            Hold(path);
    }

    /// <summary>Writes a checkpoint into the folder and removes those that need not stay.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public static CheckpointResponse Save(Checkpoint checkpoint, string folder, int keep)
    {
        string path = Path.Combine(folder, CheckpointHeader.FileName(checkpoint.Step));
        var response = new CheckpointResponse(path, checkpoint.Write(path), checkpoint.StateHash) { IsDiverged = checkpoint.IsDiverged };
        Prune(folder, keep, checkpoint.Step);
        return response with { NewestGood = NewestSound(folder) };
    }

    /// <summary>
    /// Deletes all up to a step but the newest <paramref name="keep"/>, the one with the best test score and those that are held, and what
    /// a killed writer left half-written. What cannot be deleted stays.
    /// </summary>
    /// <param name="step">Of the checkpoint that was written last. Those of later steps stay: the run may have to go on from them.</param>
    public static void Prune(string folder, int keep, long step)
    {
        (string Path, CheckpointHeader? Header)[] newestFirst =
        [
            .. CheckpointHeader.NewestFirst(folder).Where(path => CheckpointHeader.StepOf(path) <= step)
                .Select(path => (path, CheckpointHeader.TryRead(path))),
        ];
        ILookup<bool, string> byDivergence = newestFirst.ToLookup(
            checkpoint => checkpoint.Header is { IsDiverged: true }, checkpoint => checkpoint.Path);
        string? best = BestOf(newestFirst);
        ILookup<bool, string> touched = Directory.GetFiles(folder, "step-*.part").Concat(Directory.GetFiles(folder, $"step-*{HeldSuffix}"))
            .ToLookup(path => DateTime.UtcNow - File.GetLastWriteTimeUtc(path) < Abandoned);
        // Those that have diverged push out no other; the newest of them stays, for whoever wants to see what happened.
        IEnumerable<string> old = byDivergence[false].Skip(keep).Concat(byDivergence[true].Skip(1));
        foreach (string path in old.Where(path => path != best && !touched[true].Contains(path + HeldSuffix))
            .Concat(touched[false]))
            DiskFaults.Ignore(() => File.Delete(path));
    }

    /// <summary>
    /// The checkpoint to go on from after a divergence: the newest with a finite score, or if none was scored the newest whose last
    /// gradient was finite. Null if there is neither.
    /// </summary>
    internal static string? NewestSound(string folder)
    {
        (string Path, CheckpointHeader Header)[] newestFirst =
        [
            .. from path in CheckpointHeader.NewestFirst(folder)
               let header = CheckpointHeader.TryRead(path)
               where header is { IsDiverged: false }
               select (path, header),
        ];
        return newestFirst.FirstOrDefault(checkpoint => checkpoint.Header.TestBitsPerDim is not null).Path
            ?? newestFirst.FirstOrDefault(checkpoint => checkpoint.Header.SkippedInARow == 0).Path;
    }

    /// <summary>The one with the least test score, the oldest of several; null if none has a finite score.</summary>
    internal static string? BestOf(IEnumerable<(string Path, CheckpointHeader? Header)> newestFirst) => newestFirst
        .Where(checkpoint => checkpoint.Header?.TestBitsPerDim is { } score && double.IsFinite(score))
        .OrderBy(checkpoint => checkpoint.Header!.TestBitsPerDim).ThenBy(checkpoint => CheckpointHeader.StepOf(checkpoint.Path))
        .Select(checkpoint => checkpoint.Path).FirstOrDefault();
}
