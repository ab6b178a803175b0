using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Kernels.Gpu;

/// <summary>
/// A queue of a card's work, by libtorch's own C++ names: TorchSharp has none for it. Its work is in no order with that of other queues.
/// </summary>
public sealed partial class CudaStream(Device device)
{
    private readonly Stream _stream = FromPool(isUrgent: 0, (sbyte)device.index);

    /// <summary>As the driver knows it.</summary>
    internal nint Handle => HandleOf(_stream);

    /// <summary>Makes it the calling thread's: the one that all threads share cannot be recorded.</summary>
    public void Use() => SetCurrent(_stream);

    /// <summary>Makes it the calling thread's for some work.</summary>
    internal void Do(Action work)
    {
        Stream former = GetCurrent((sbyte)device.index);
        SetCurrent(_stream);
        try
        {
            work();
        }
        finally
        {
            SetCurrent(former);
        }
    }

    /// <summary>The calling thread's, as the driver knows it.</summary>
    internal static nint Current(int card)
    {
        Stream current = GetCurrent((sbyte)card);
        return HandleOf(current);
    }

    /// <summary>c10::cuda::getStreamFromPool(bool, signed char)</summary>
    [LibraryImport("libc10_cuda", EntryPoint = "_ZN3c104cuda17getStreamFromPoolEba")]
    private static partial Stream FromPool(byte isUrgent, sbyte card);

    /// <summary>c10::cuda::getCurrentCUDAStream(signed char)</summary>
    [LibraryImport("libc10_cuda", EntryPoint = "_ZN3c104cuda20getCurrentCUDAStreamEa")]
    private static partial Stream GetCurrent(sbyte card);

    /// <summary>c10::cuda::setCurrentCUDAStream(CUDAStream)</summary>
    [LibraryImport("libc10_cuda", EntryPoint = "_ZN3c104cuda20setCurrentCUDAStreamENS0_10CUDAStreamE")]
    private static partial void SetCurrent(Stream stream);

    /// <summary>c10::cuda::CUDAStream::stream() const</summary>
    [LibraryImport("libc10_cuda", EntryPoint = "_ZNK3c104cuda10CUDAStream6streamEv")]
    private static partial nint HandleOf(in Stream stream);

    /// <summary>c10::cuda::CUDAStream, which travels in two registers.</summary>
    private readonly record struct Stream(long Device, long Number);
}
