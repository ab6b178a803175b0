using System.Runtime.InteropServices;

namespace PixelCnnCluster.Client.Shell;

/// <summary>Files and folders that this process makes, and the silos that it starts: pictures, models, logs.</summary>
internal static partial class OwnFiles
{
    /// <summary>All rights of the group and of others, in octal 077.</summary>
    private const uint OfOthers = 63;

    /// <summary>Only this process' user can read them: files get the mode 600, folders 700.</summary>
    public static void KeepPrivate()
    {
        if (!OperatingSystem.IsWindows())
            _ = SetMask(OfOthers);
    }

    [LibraryImport("libc", EntryPoint = "umask")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial uint SetMask(uint mask);
}
