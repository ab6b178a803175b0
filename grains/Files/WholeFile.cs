namespace PixelCnnCluster.Files;

/// <summary>Files that are there whole or not at all.</summary>
public static class WholeFile
{
    /// <summary>
    /// Where this process writes what is to become <paramref name="path"/>: other machines and processes may be at the same, such as a
    /// checkpoint for a coordinator that was replaced.
    /// </summary>
    public static string PartOf(string path) => $"{path}.{Environment.MachineName}.{Environment.ProcessId}.part";

    /// <summary>Writes beside the path and renames.</summary>
    /// <returns>The file's size in bytes.</returns>
    /// <exception cref="IOException">The disk refused; what was at <paramref name="path"/> before is there still.</exception>
    /// <exception cref="UnauthorizedAccessException">As above.</exception>
    public static long Write(string path, Action<Stream> write)
    {
        string beside = PartOf(path);
        // Outside of what deletes it again: one that cannot be opened may be another writer's.
        FileStream file = new(beside, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
        try
        {
            using (file)
            {
                write(file);
                file.Flush(flushToDisk: true);
            }

            File.Move(beside, path, overwrite: true);
            return new FileInfo(path).Length;
        }
        catch
        {
            File.Delete(beside);
            throw;
        }
    }
}
