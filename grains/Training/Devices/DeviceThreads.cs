using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using PixelCnnCluster.Model.Kernels.Gpu;
using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Training.Devices;

/// <summary>
/// The threads that do a worker's tensor work, apart from the thread pool, which the cluster needs for itself. Each computes
/// whole shards with single-threaded kernels, so results do not depend on how many threads there are. A GPU is fed by one thread, shard
/// after shard.
/// </summary>
public sealed partial class DeviceThreads : IDevice, IDisposable
{
    private readonly BlockingCollection<Action> _orders = [];
    private readonly BlockingCollection<Action> _help = [];
    private readonly List<Thread> _threads = [];

    /// <summary>When the work in progress began; 0 when there is none.</summary>
    private long _begun;

    /// <param name="count">Threads that share the work of <see cref="ForEach"/> on the CPU, 1 or more.</param>
    /// <param name="device">cpu, cuda or cuda:N; where the tensors are.</param>
    /// <exception cref="InvalidOperationException">The device cannot be used.</exception>
    public DeviceThreads(int count, string device = "cpu")
    {
        Device = TorchDevice.Of(device);
        Count = Device.type == DeviceType.CPU ? count : 1;
        Description = Device.type != DeviceType.CPU ? $"{TorchDevice.NameOf(Device)}, {Device}" : Count == 1 ? "CPU, 1 thread"
            : $"CPU, {Count} threads";
        Mark = Device.type == DeviceType.CPU ? null : new(Device);
        NativeHeap.KeepFreed();
        set_num_threads(1);
        Start("device", _orders);
        for (int i = 1; i < Count; i++)
            Start($"device helper {i}", _help);

        void Start(string name, BlockingCollection<Action> queue)
        {
            var thread = new Thread(() =>
            {
                YieldToTheCluster();
                if (Device.type != DeviceType.CPU)
                    new CudaStream(Device).Use();
                foreach (Action work in queue.GetConsumingEnumerable())
                    work();
            })
            { Name = name, IsBackground = true };
            thread.Start();
            _threads.Add(thread);
        }
    }

    public int Count { get; }

    public TimeSpan BusyFor => Volatile.Read(ref _begun) is > 0 and long at ? Stopwatch.GetElapsedTime(at) : TimeSpan.Zero;

    public Device Device { get; }

    public string Description { get; }

    /// <summary>For what is copied from a GPU in the middle of its work; null on the CPU.</summary>
    public CudaMark? Mark { get; }

    /// <summary>Bytes of a GPU's memory that are in use, whoever uses them; null on the CPU.</summary>
    public long? UsedMemory
    {
        get
        {
            if (Device.type == DeviceType.CPU)
                return null;
            (long free, long total) = TorchDevice.MemoryOf(Device);
            return total - free;
        }
    }

    /// <summary>Runs on the first thread, after what was asked for before.</summary>
    public Task<T> RunAsync<T>(Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _orders.Add(() =>
        {
            Volatile.Write(ref _begun, Stopwatch.GetTimestamp());
            try
            {
                done.SetResult(Scoped(work));
            }
            catch (Exception fault)
            {
                done.SetException(fault);
            }

            Volatile.Write(ref _begun, 0);
        });
        return done.Task;

        // The order is done when its tensors are freed.
        static T Scoped(Func<T> work)
        {
            using DisposeScope scope = NewDisposeScope();
            return work();
        }
    }

    public Task<T> RunAsideAsync<T>(Func<T> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>
    /// Does every item of [0, <paramref name="items"/>) on whichever thread is free; called from the first thread. The action is
    /// told which thread it runs on, 0 to <see cref="Count"/> - 1.
    /// </summary>
    public void ForEach(int items, Action<int, int> action)
    {
        int next = -1;
        var faults = new ConcurrentQueue<Exception>();
        using var finished = new CountdownEvent(Math.Max(1, Math.Min(Count, items)));
        for (int thread = 1; thread < finished.InitialCount; thread++)
        {
            int number = thread;
            _help.Add(() => Take(number));
        }

        Take(0);
        finished.Wait();
        if (faults.TryDequeue(out Exception? fault))
            ExceptionDispatchInfo.Throw(fault);

        void Take(int thread)
        {
            try
            {
                for (int item; (item = Interlocked.Increment(ref next)) < items;)
                {
                    using DisposeScope scope = NewDisposeScope();
                    action(thread, item);
                }
            }
            catch (Exception thrown)
            {
                faults.Enqueue(thrown);
            }
            finally
            {
                finished.Signal();
            }
        }
    }

    /// <summary>
    /// Lets the threads that answer membership probes go first when there are more threads than cores: a worker that computes is not
    /// taken for dead. A little less weight is enough: with much less, any other program on the machine would leave training a tenth of a
    /// core. Linux keeps a nice value for each thread; where the system refuses, nothing is lost.
    /// </summary>
    private static void YieldToTheCluster() => _ = setpriority(which: 0, who: 0, priority: 2);

    [LibraryImport("libc")]
    private static partial int setpriority(int which, uint who, int priority);

    public void Dispose()
    {
        _orders.CompleteAdding();
        _help.CompleteAdding();
        foreach (Thread thread in _threads)
            thread.Join();
        Mark?.Dispose();
        _orders.Dispose();
        _help.Dispose();
    }
}
