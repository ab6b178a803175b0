using PixelCnnCluster.Actors.Jobs;
using PixelCnnCluster.Actors.Telemetry;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Data;
using PixelCnnCluster.Training.Devices;
using PixelCnnCluster.Unit.Tests.Data;
using PixelCnnCluster.Unit.Tests.Training;

namespace PixelCnnCluster.Unit.Tests.Jobs;

/// <summary>A sampler's device, in time that passes when a test says so, and a checkpoint of a few steps of a run.</summary>
internal sealed class JobDevice : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly DeviceThreads _threads;

    public JobDevice(TinyRun run, int threadCount = 1)
    {
        Model = Write(run, "one.safetensors");
        _threads = new(threadCount);
        Watched = new(_threads);
        Sampler = new(Watched, new TrainedModels(_threads, new DataSets(), AllowedFolders.All), new(new(Meters.Name)), Time);
    }

    public ModelInfo Model { get; }

    public WatchedDevice Watched { get; }

    public PassingTime Time { get; } = new();

    public SamplerService Sampler { get; }

    public ModelInfo Write(TinyRun run, string name)
    {
        string path = Path.Combine(_folder.Path, name);
        run.Checkpoint().Write(path);
        return ModelFiles.Read(path);
    }

    public SampleRowsRequest Order(int first, int end) =>
        new() { Job = Guid.NewGuid(), Model = Model, First = first, End = end, Seed = Model.Spec.Optimiser.Seed };

    /// <summary>Samples all rows, asking for the next until there is none.</summary>
    /// <returns>[images, C, H, W]</returns>
    public async Task<byte[]> SampleAsync(SampleRowsRequest request)
    {
        (int size, int channels) = (request.Model.Size, request.Model.Channels);
        byte[] images = new byte[(request.End - request.First) * request.Model.ImageBytes];
        for (int row = 0; row < size;)
        {
            foreach (byte[] drawn in (await Sampler.SampleAsync(request, row)).Rows)
            {
                for (int plane = 0; plane < (request.End - request.First) * channels; plane++)
                    drawn.AsSpan(plane * size, size).CopyTo(images.AsSpan(((plane * size) + row) * size));
                row++;
            }
        }

        return images;
    }

    public void Dispose()
    {
        _threads.Dispose();
        _folder.Dispose();
    }
}

/// <summary>A device whose rows a test hears of, on its thread and while it samples them.</summary>
internal sealed class WatchedDevice(DeviceThreads threads) : IDevice
{
    private int _rows;

    public string Description => threads.Description;

    public TimeSpan BusyFor => threads.BusyFor;

    /// <summary>Rows that were sampled, of all samples.</summary>
    public int Rows => Volatile.Read(ref _rows);

    /// <summary>Called after each row with the number of rows so far, before anything else can come to the device.</summary>
    public Action<int> Sampled { get; set; } = _ => { };

    public Task<T> RunAsync<T>(Func<T> work) => threads.RunAsync(() =>
    {
        T result = work();
        if (result is byte[])
            Sampled(Interlocked.Increment(ref _rows));
        return result;
    });

    public Task<T> RunAsideAsync<T>(Func<T> work) => threads.RunAsideAsync(work);
}

internal sealed class PassingTime : TimeProvider
{
    private long _ticks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    public void Pass(TimeSpan time) => Interlocked.Add(ref _ticks, time.Ticks);
}
