using System.Globalization;
using System.Runtime.InteropServices;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Kernels.Gpu;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Tensors;

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
            return "no GPU can be used; build with -p:TorchCuda=true or name an installed PyTorch with Torch:NativeLibraryPath, see that " +
                "nvidia-smi shows the card, or take cpu";
        int count = cuda.device_count();
        return Index(name) < count ? null : $"there are {count}, counted from 0; take one of those";
    }

    /// <summary>A GPU's model.</summary>
    public static string NameOf(Device gpu) => CudaDriver.NameOf(gpu.index);

    /// <summary>Bytes of a GPU's memory, whoever uses it.</summary>
    public static (long Free, long Total) MemoryOf(Device gpu) => CudaDriver.MemoryOf(gpu.index);

    /// <summary>
    /// Makes the tensor library give back the memory of a GPU that it keeps for later, that of disposed recordings too: it does so before
    /// it takes an allocation for impossible.
    /// </summary>
    public static void GiveBackMemory(Device gpu)
    {
        try
        {
            using Tensor impossible = empty(MemoryOf(gpu).Total, dtype: ScalarType.Float32, device: gpu);
        }
        catch (ExternalException)
        {
        }
    }

    private static int Index(string name) => name == "cuda" ? 0 : int.Parse(name.AsSpan("cuda:".Length), CultureInfo.InvariantCulture);
}
