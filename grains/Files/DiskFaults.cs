namespace PixelCnnCluster.Files;

/// <summary>What the disk refuses.</summary>
public static class DiskFaults
{
    /// <summary>Does something that may fail without harm, because it is tried again later or done without.</summary>
    public static void Ignore(Action work)
    {
        try
        {
            work();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
        }
    }
}
