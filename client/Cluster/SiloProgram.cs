namespace PixelCnnCluster.Client.Cluster;

/// <summary>Finds the silo's program, which is built and published along with the console.</summary>
public static class SiloProgram
{
    private const string FileName = "PixelCnnCluster.Silo.dll";

    /// <summary>Whether <paramref name="baseDirectory"/> is a published console, with the silo in a folder below.</summary>
    public static bool IsPublished(string baseDirectory) => File.Exists(Published(baseDirectory));

    /// <param name="baseDirectory">Folder of the console's own program.</param>
    /// <exception cref="ClusterFaultException">There is no silo.</exception>
    public static string Find(string baseDirectory)
    {
        if (IsPublished(baseDirectory))
            return Published(baseDirectory);
        string configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(baseDirectory));
        string built = Path.GetFullPath(Path.Combine(baseDirectory, "..", "..", "Silo", configuration, FileName));
        return File.Exists(built) ? built
            : throw new ClusterFaultException($"The silo's program is missing: it should be {built}. Build the solution.");
    }

    private static string Published(string baseDirectory) => Path.Combine(baseDirectory, "silo", FileName);
}
