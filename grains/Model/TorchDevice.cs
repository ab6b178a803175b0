using System.Globalization;
using PixelCnnCluster.Contracts;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model;

/// <summary>Devices by the names that settings give them.</summary>
public static class TorchDevice
{
    /// <param name="name">See <see cref="DeviceName"/>.</param>
    /// <exception cref="InvalidOperationException">The device cannot be used.</exception>
    public static Device Of(string name)
    {
        if (name == "cpu")
            return CPU;
        if (Missing(name) is { } reason)
            throw new InvalidOperationException(reason);
        DeterministicKernels.Demand();
        return device($"cuda:{Index(name)}");
    }

    /// <summary>Why a device cannot be used, and the remedy, as a part of a sentence; null if it can.</summary>
    /// <param name="name">See <see cref="DeviceName"/>.</param>
    public static string? Missing(string name)
    {
        if (name == "cpu")
            return null;
        if (!cuda.is_available())
            return "no GPU can be used; build with -p:TorchCuda=true or name an installed PyTorch with Torch:NativeLibraryPath, see that nvidia-smi shows the card, or take cpu";
        int count = cuda.device_count();
        return Index(name) < count ? null : $"there are {count}, counted from 0; take one of those";
    }

    private static int Index(string name) => name == "cuda" ? 0 : int.Parse(name.AsSpan("cuda:".Length), CultureInfo.InvariantCulture);
}
