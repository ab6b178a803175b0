using System.Formats.Tar;

namespace PixelCnnCluster.Training.Data;

/// <summary>Reads tar archives, gzip or plain, from front to back without unpacking them.</summary>
internal static class TarFiles
{
    /// <summary>The regular files in the archive's order; each may be read only until the next is asked for.</summary>
    /// <param name="mostBytes">What one file of the archive may hold; a larger one is refused unread.</param>
    public static IEnumerable<(string Name, DataFile File)> Read(string path, long mostBytes)
    {
        using var archive = DataFile.Open(path);
        using TarReader reader = new(archive.Stream);
        while (DataFile.Parse(path, () => reader.GetNextEntry()) is { } entry)
        {
            if (entry.EntryType is TarEntryType.Directory or TarEntryType.GlobalExtendedAttributes)
                continue;
            if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile))
                throw archive.Fault($"holds {entry.Name}, which is a {entry.EntryType} and no file");
            if (Path.IsPathRooted(entry.Name) || entry.Name.Split('/', '\\').Contains(".."))
                throw archive.Fault($"holds {entry.Name}, which points outside of the archive");
            if (entry.Length > mostBytes)
                throw archive.Fault($"holds {entry.Name} with {entry.Length} bytes, too many for its kind");
            yield return (entry.Name, new DataFile($"{path}: {entry.Name}", entry.DataStream ?? Stream.Null));
        }
    }
}
