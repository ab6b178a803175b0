using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Kernels.Gpu;

/// <summary>
/// Work of a card that is recorded once and repeated by one launch, by libtorch's own C++ names: TorchSharp has none for it. For short
/// operations the processor takes longer to give them to the card than the card to do them.
/// </summary>
public sealed unsafe partial class CudaGraph : IDisposable
{
    /// <summary>Other threads may do what a recording does not go along with.</summary>
    private const int RelaxedCapture = 2;

    /// <summary>More than an at::cuda::CUDAGraph takes, whose size only its compiler knows.</summary>
    private const int ObjectBytes = 1 << 14;

    private readonly void* _graph = NativeMemory.AllocZeroed(ObjectBytes);

    /// <summary>
    /// Records what the work gives the card to do, which is not done yet. The tensors that it reads and writes must stay. Called on a
    /// thread with a stream of its own.
    /// </summary>
    /// <exception cref="ExternalException">The work threw it, as where the card's memory does not suffice; nothing is left of the
    /// recording.</exception>
    /// <exception cref="InvalidOperationException">What the work did cannot be recorded, and libtorch is left in the middle of
    /// it.</exception>
    public CudaGraph(Device device, Action work)
    {
        // Of pinned memory that goes back meanwhile the end of its use would be recorded, and waited for ever after. What could is
        // collected now.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Construct(_graph, keepGraph: 0);
        Begin(_graph, 0, 0, RelaxedCapture);
        try
        {
            work();
            End(_graph);
        }
        catch (Exception fault)
        {
            if (!CudaDriver.IsCapturing(CudaStream.Current(device.index)))
                throw new InvalidOperationException(
                    $"Work on {device} could not be recorded; start the silo again. {fault.Message}", fault);
            End(_graph);
            Dispose();
            throw;
        }
    }

    /// <summary>Gives the card all of the work again.</summary>
    public void Replay() => Replay(_graph);

    public void Dispose()
    {
        Destruct(_graph);
        NativeMemory.Free(_graph);
    }

    /// <summary>at::cuda::CUDAGraph::CUDAGraph(bool)</summary>
    [LibraryImport("libtorch_cuda", EntryPoint = "_ZN2at4cuda9CUDAGraphC1Eb")]
    private static partial void Construct(void* graph, byte keepGraph);

    /// <summary>at::cuda::CUDAGraph::capture_begin(std::pair of two numbers, cudaStreamCaptureMode)</summary>
    [LibraryImport("libtorch_cuda", EntryPoint = "_ZN2at4cuda9CUDAGraph13capture_beginESt4pairIyyE21cudaStreamCaptureMode")]
    private static partial void Begin(void* graph, ulong poolFirst, ulong poolSecond, int mode);

    /// <summary>at::cuda::CUDAGraph::capture_end()</summary>
    [LibraryImport("libtorch_cuda", EntryPoint = "_ZN2at4cuda9CUDAGraph11capture_endEv")]
    private static partial void End(void* graph);

    /// <summary>at::cuda::CUDAGraph::replay()</summary>
    [LibraryImport("libtorch_cuda", EntryPoint = "_ZN2at4cuda9CUDAGraph6replayEv")]
    private static partial void Replay(void* graph);

    /// <summary>at::cuda::CUDAGraph::~CUDAGraph()</summary>
    [LibraryImport("libtorch_cuda", EntryPoint = "_ZN2at4cuda9CUDAGraphD1Ev")]
    private static partial void Destruct(void* graph);
}
