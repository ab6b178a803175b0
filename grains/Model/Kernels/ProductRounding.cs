using PixelCnnCluster.Contracts;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Kernels;

/// <summary>
/// Whether NVIDIA cards may round the factors of float32 products. The library has one setting for the process, so whoever computes sets it
/// first.
/// </summary>
public static class ProductRounding
{
    public static void Set(Precision precision, Device device)
    {
        if (device.type == DeviceType.CPU)
            return;
        backends.cuda.matmul.allow_tf32 = precision == Precision.Tf32;
        backends.cudnn.allow_tf32 = precision == Precision.Tf32;
    }
}
