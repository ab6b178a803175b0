using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;

namespace PixelCnnCluster.Model.Kernels.Gpu;

/// <summary>What is asked of NVIDIA's driver itself: TorchSharp has no names for it.</summary>
internal static unsafe partial class CudaDriver
{
    private const string Library = "libcuda.so.1";
    private const int MajorAttribute = 75, MinorAttribute = 76;
    private const int ActiveCapture = 1;
    private const uint WithoutTiming = 2, RecordInGraph = 1;

    private static readonly ConcurrentDictionary<int, nint> Contexts = new();

    /// <summary>The context that libtorch works in.</summary>
    public static nint ContextOf(int card) => Contexts.GetOrAdd(card, number =>
    {
        Check(PrimaryContext(out nint context, DeviceOf(number)), "cuDevicePrimaryCtxRetain");
        return context;
    });

    /// <summary>Binds the calling thread to a context.</summary>
    public static void Enter(nint context) => Check(SetContext(context), "cuCtxSetCurrent");

    /// <summary>What a card's machine code is for, as sm_90.</summary>
    public static string ArchitectureOf(int card)
    {
        int device = DeviceOf(card);
        Check(GetAttribute(out int major, MajorAttribute, device), "cuDeviceGetAttribute");
        Check(GetAttribute(out int minor, MinorAttribute, device), "cuDeviceGetAttribute");
        return $"sm_{major}{minor}";
    }

    public static string NameOf(int card)
    {
        byte[] name = new byte[256];
        Check(GetName(name, name.Length, DeviceOf(card)), "cuDeviceGetName");
        return Encoding.ASCII.GetString(name).TrimEnd('\0');
    }

    /// <summary>Bytes of a card's memory.</summary>
    public static (long Free, long Total) MemoryOf(int card)
    {
        Enter(ContextOf(card));
        Check(GetMemory(out nuint free, out nuint total), "cuMemGetInfo");
        return ((long)free, (long)total);
    }

    /// <summary>Takes machine code into the calling thread's context.</summary>
    public static nint Load(byte[] code)
    {
        Check(LoadModule(out nint module, code), "cuModuleLoadData");
        return module;
    }

    public static nint FunctionOf(nint module, string name)
    {
        Check(GetFunction(out nint function, module, name), name);
        return function;
    }

    /// <param name="arguments">Where each lies.</param>
    public static void Launch(nint function, uint blocks, uint threads, nint stream, void** arguments) =>
        Check(Launch(function, blocks, 1, 1, threads, 1, 1, sharedBytes: 0, stream, arguments, extra: null), "cuLaunchKernel");

    /// <summary>Something that a queue passes and others wait for; made in the calling thread's context.</summary>
    public static nint NewEvent()
    {
        Check(CreateEvent(out nint made, WithoutTiming), "cuEventCreate");
        return made;
    }

    /// <summary>Lets a queue pass the event behind its work so far; in a recording, whenever that is repeated.</summary>
    public static void Record(nint passed, nint stream) =>
        Check(RecordEvent(passed, stream, IsCapturing(stream) ? RecordInGraph : 0), "cuEventRecordWithFlags");

    /// <summary>Lets a queue's further work wait until the event, as it was recorded last, is passed.</summary>
    public static void Await(nint stream, nint passed) => Check(WaitForEvent(stream, passed, flags: 0), "cuStreamWaitEvent");

    /// <summary>Waits for a queue's work.</summary>
    public static void Finish(nint stream) => Check(Synchronize(stream), "cuStreamSynchronize");

    /// <summary>Does nothing where the card has failed: there is nothing left to give back.</summary>
    public static void DestroyEvent(nint passed) => _ = Destroy(passed);

    /// <summary>Whether a recording is going on that nothing has spoiled.</summary>
    public static bool IsCapturing(nint stream) => GetCaptureStatus(stream, out int status) == 0 && status == ActiveCapture;

    private static int DeviceOf(int card)
    {
        // Whoever asks first begins with it; libtorch, too, does so when it is first used.
        Check(Initialise(flags: 0), "cuInit");
        Check(GetDevice(out int device, card), "cuDeviceGet");
        return device;
    }

    private static void Check(int result, string what)
    {
        if (result != 0)
            throw new InvalidOperationException($"The GPU refused {what} with error {result}.");
    }

    [LibraryImport(Library, EntryPoint = "cuInit")]
    private static partial int Initialise(uint flags);

    [LibraryImport(Library, EntryPoint = "cuDeviceGet")]
    private static partial int GetDevice(out int device, int card);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetAttribute")]
    private static partial int GetAttribute(out int value, int attribute, int device);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetName")]
    private static partial int GetName([Out] byte[] name, int length, int device);

    [LibraryImport(Library, EntryPoint = "cuDevicePrimaryCtxRetain")]
    private static partial int PrimaryContext(out nint context, int device);

    [LibraryImport(Library, EntryPoint = "cuCtxSetCurrent")]
    private static partial int SetContext(nint context);

    [LibraryImport(Library, EntryPoint = "cuMemGetInfo_v2")]
    private static partial int GetMemory(out nuint free, out nuint total);

    [LibraryImport(Library, EntryPoint = "cuModuleLoadData")]
    private static partial int LoadModule(out nint module, byte[] code);

    [LibraryImport(Library, EntryPoint = "cuModuleGetFunction", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int GetFunction(out nint function, nint module, string name);

    [LibraryImport(Library, EntryPoint = "cuLaunchKernel")]
    private static partial int Launch(
        nint function, uint blocksX, uint blocksY, uint blocksZ, uint threadsX, uint threadsY, uint threadsZ, uint sharedBytes,
        nint stream, void** arguments, void** extra);

    [LibraryImport(Library, EntryPoint = "cuStreamIsCapturing")]
    private static partial int GetCaptureStatus(nint stream, out int status);

    [LibraryImport(Library, EntryPoint = "cuEventCreate")]
    private static partial int CreateEvent(out nint made, uint flags);

    [LibraryImport(Library, EntryPoint = "cuEventRecordWithFlags")]
    private static partial int RecordEvent(nint passed, nint stream, uint flags);

    [LibraryImport(Library, EntryPoint = "cuStreamWaitEvent")]
    private static partial int WaitForEvent(nint stream, nint passed, uint flags);

    [LibraryImport(Library, EntryPoint = "cuStreamSynchronize")]
    private static partial int Synchronize(nint stream);

    [LibraryImport(Library, EntryPoint = "cuEventDestroy_v2")]
    private static partial int Destroy(nint passed);
}
