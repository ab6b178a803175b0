namespace PixelCnnCluster.Contracts;

/// <summary>Files that are there whole or not at all.</summary>
public static class WholeFile
{
    /// <summary>Writes beside the path and renames.</summary>
    /// <returns>The file's size in bytes.</returns>
    /// <exception cref="IOException">The disk refused; what was at <paramref name="path"/> before is there still.</exception>
    /// <exception cref="UnauthorizedAccessException">As above.</exception>
    public static long Write(string path, Action<Stream> write)
    {
        // Another process may be writing the same file, such as a checkpoint for a coordinator that was replaced.
        string beside = $"{path}.{Environment.ProcessId}.part";
        try
        {
            using (FileStream file = new(beside, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20))
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
