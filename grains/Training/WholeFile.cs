namespace PixelCnnCluster.Training;

/// <summary>A file that is whole or absent: it is written beside its place, flushed and renamed.</summary>
internal static class WholeFile
{
    /// <returns>Its size in bytes.</returns>
    /// <exception cref="IOException">The disk refused; what was at <paramref name="path"/> before is there still.</exception>
    public static long Write(string path, Action<Stream> write)
    {
        // A coordinator that was replaced may still have a worker write the same file.
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
        catch (IOException)
        {
            File.Delete(beside);
            throw;
        }
    }
}
