using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Kernels.Gpu;

/// <summary>
/// Where a tensor's elements begin, in the memory of its device; TorchSharp itself tells it of tensors of the host alone.
/// </summary>
public static partial class TensorAddress
{
    public static nint Of(Tensor tensor) => THSTensor_data(tensor.Handle);

    [LibraryImport("LibTorchSharp")]
    private static partial nint THSTensor_data(nint handle);
}
