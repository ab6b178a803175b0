namespace PixelCnnCluster.Files;

/// <summary>Files that are there whole or not at all.</summary>
public static class WholeFile
{
    /// <summary>
    /// Writes beside the path and renames. What lies beside has a name that nobody can know before: other machines and processes may be at
    /// the same, such as a checkpoint for a coordinator that was replaced, and whoever may write to the folder can put links there.
    /// </summary>
    /// <returns>The file's size in bytes.</returns>
    /// <exception cref="IOException">The disk refused; what was at <paramref name="path"/> before is there still.</exception>
    /// <exception cref="UnauthorizedAccessException">As above.</exception>
    public static long Write(string path, Action<Stream> write)
    {
        string beside = $"{path}.{Guid.NewGuid():N}.part";
        // Outside of what deletes it again: one that is there already is another writer's.
        FileStream file = new(beside, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 20);
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
