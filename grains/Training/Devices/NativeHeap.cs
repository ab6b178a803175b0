using System.Runtime.InteropServices;

namespace PixelCnnCluster.Training.Devices;

/// <summary>The C library's memory, which the tensor library works with.</summary>
internal static partial class NativeHeap
{
    private const int TrimThreshold = -1, TopPadding = -2, MapThreshold = -3;

    /// <summary>
    /// Keeps what is freed for the next tensor in place of giving it back to the system, which would fill it with zeros again: a step frees
    /// and takes the same amounts as the one before. Where there is another C library than GNU's, nothing happens.
    /// </summary>
    public static void KeepFreed()
    {
        try
        {
            _ = mallopt(TrimThreshold, int.MaxValue);
            // The most that it takes; larger tensors are mapped one by one.
            _ = mallopt(MapThreshold, 32 << 20);
            _ = mallopt(TopPadding, 64 << 20);
        }
        catch (EntryPointNotFoundException)
        {
        }
    }

    [LibraryImport("libc")]
    private static partial int mallopt(int parameter, int value);
}
