using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Kernels.Gpu;

/// <summary>
/// The kernels in Kernels.cu on one card, compiled by the NVRTC that comes with libtorch when the card is first used. They run in the order
/// of the tensor library's own work on the same thread.
/// </summary>
internal sealed unsafe class GpuKernels : KernelLibrary
{
    private static readonly ConcurrentDictionary<int, Lazy<GpuKernels>> Cards = new();

    private readonly ConcurrentDictionary<string, nint> _functions = new();
    private readonly int _card;
    private readonly nint _context, _module;

    private GpuKernels(int card)
    {
        _card = card;
        _context = CudaDriver.ContextOf(card);
        CudaDriver.Enter(_context);
        _module = CudaDriver.Load(Compile($"--gpu-architecture={CudaDriver.ArchitectureOf(card)}"));
    }

    /// <summary>Whether the kernels are for such a tensor.</summary>
    public static bool Takes(Tensor tensor) =>
        tensor.device_type == DeviceType.CUDA && tensor.dtype is ScalarType.Float32 or ScalarType.BFloat16;

    /// <summary>Those of the card that a tensor is on.</summary>
    public static GpuKernels Of(Tensor tensor) => Cards.GetOrAdd(tensor.device_index, number => new(() => new(number))).Value;

    protected override void Launch(string name, uint blocks, uint blockSize, ReadOnlySpan<nint> arguments)
    {
        nint function = _functions.GetOrAdd(name, each => CudaDriver.FunctionOf(_module, each));
        // Threads of the backward pass may come here first.
        CudaDriver.Enter(_context);
        fixed (nint* first = arguments)
            CudaDriver.Launch(function, blocks, blockSize, CudaStream.Current(_card), (void**)first);
    }

    /// <summary>Machine code of Kernels.cu.</summary>
    private static byte[] Compile(string target)
    {
        // libtorch's own library for this lies beside it and finds NVRTC, whatever its version is.
        string folder = Path.GetDirectoryName(
            Process.GetCurrentProcess().Modules.Cast<ProcessModule>().First(module => module.ModuleName == "libtorch_cuda.so").FileName)!;
        nint library = NativeLibrary.Load(Path.Combine(folder, "libcaffe2_nvrtc.so"));
        var create =
            (delegate* unmanaged<nint*, byte*, byte*, int, byte**, byte**, int>)NativeLibrary.GetExport(library, "nvrtcCreateProgram");
        var compile = (delegate* unmanaged<nint, int, byte**, int>)NativeLibrary.GetExport(library, "nvrtcCompileProgram");
        var getSize = (delegate* unmanaged<nint, nuint*, int>)NativeLibrary.GetExport(library, "nvrtcGetCUBINSize");
        var getCode = (delegate* unmanaged<nint, byte*, int>)NativeLibrary.GetExport(library, "nvrtcGetCUBIN");
        var destroy = (delegate* unmanaged<nint*, int>)NativeLibrary.GetExport(library, "nvrtcDestroyProgram");

        using var source = new StreamReader(typeof(GpuKernels).Assembly.GetManifestResourceStream("Kernels.cu")!);
        nint program;
        nuint size;
        fixed (byte* text = Text(source.ReadToEnd()), name = Text("Kernels.cu"), option = Text(target))
        {
            byte* options = option;
            Check(create(&program, text, name, 0, null, null), "nvrtcCreateProgram");
            if (compile(program, 1, &options) is var result and not 0)
                throw new InvalidOperationException(
                    $"NVRTC of {folder} cannot compile Kernels.cu with {target} (error {result}); a newer card wants a newer PyTorch.");
        }

        Check(getSize(program, &size), "nvrtcGetCUBINSize");
        byte[] code = new byte[size];
        fixed (byte* start = code)
            Check(getCode(program, start), "nvrtcGetCUBIN");
        Check(destroy(&program), "nvrtcDestroyProgram");
        return code;
    }

    private static byte[] Text(string text) => Encoding.ASCII.GetBytes(text + '\0');

    private static void Check(int result, string what)
    {
        if (result != 0)
            throw new InvalidOperationException($"{what} failed with error {result}.");
    }
}
