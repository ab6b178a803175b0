using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Cluster;

/// <summary>A console's claim on the folder that its run writes to. It ends with the process, however that ends.</summary>
public sealed class FolderLock : IDisposable
{
    private const string FileName = "console.lock";

    private readonly FileStream _file;

    private FolderLock(FileStream file) => _file = file;

    /// <summary>Creates the folder, with another for logs, and claims it.</summary>
    /// <exception cref="UserErrorException">Another console has it, or nothing can be written there.</exception>
    public static FolderLock Take(string folder, string logDir)
    {
        try
        {
            Directory.CreateDirectory(folder);
            Directory.CreateDirectory(logDir);
            return new(
                new FileStream(
                    Path.Combine(folder, FileName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1,
                    FileOptions.DeleteOnClose));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(IsHeld(e)
                ? $"--save-dir {folder} is written to by another console's run; wait until it ends, or name another folder."
                : $"--save-dir cannot be written: {e.Message.TrimEnd('.')}; name another folder.", e);
        }
    }

    public void Dispose() => _file.Dispose();

    /// <summary>
    /// Sharing violations are IOException itself, told apart by number: EWOULDBLOCK of Linux and of macOS, ERROR_SHARING_VIOLATION of
    /// Windows.
    /// </summary>
    private static bool IsHeld(Exception e) => e.GetType() == typeof(IOException) && e.HResult is 11 or 35 or unchecked((int)0x80070020);
}
