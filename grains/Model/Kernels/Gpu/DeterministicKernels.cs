using System.Runtime.InteropServices;

namespace PixelCnnCluster.Model.Kernels.Gpu;

/// <summary>
/// The settings of libtorch by which a GPU's results are the same bits whenever the same work is done on the same kind of card. TorchSharp
/// has no names for them, so they are called by those of the C++ library.
/// </summary>
internal static partial class DeterministicKernels
{
    public static void Demand()
    {
        // What cuBLAS asks for besides; read when it is first used.
        _ = setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", overwrite: 0);
        nint context = GlobalContext();
        SetDeterministicAlgorithms(context, on: 1, warnOnly: 1);
        SetFillUninitialised(context, on: 0);
    }

    [LibraryImport("libc")]
    private static partial int setenv(
        [MarshalAs(UnmanagedType.LPStr)] string name, [MarshalAs(UnmanagedType.LPStr)] string value, int overwrite);

    /// <summary>at::globalContext()</summary>
    [LibraryImport("libtorch_cpu", EntryPoint = "_ZN2at13globalContextEv")]
    private static partial nint GlobalContext();

    /// <summary>at::Context::setDeterministicAlgorithms(bool, bool)</summary>
    [LibraryImport("libtorch_cpu", EntryPoint = "_ZN2at7Context26setDeterministicAlgorithmsEbb")]
    private static partial void SetDeterministicAlgorithms(nint context, byte on, byte warnOnly);

    /// <summary>at::Context::setDeterministicFillUninitializedMemory(bool): without it every new tensor would be filled.</summary>
    [LibraryImport("libtorch_cpu", EntryPoint = "_ZN2at7Context39setDeterministicFillUninitializedMemoryEb")]
    private static partial void SetFillUninitialised(nint context, byte on);
}
