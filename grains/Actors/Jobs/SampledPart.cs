using PixelCnnCluster.Actors.Telemetry;
using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Devices;
using PixelCnnCluster.Training.History;

namespace PixelCnnCluster.Actors.Jobs;

/// <summary>A sampler's part of a job: samples row after row as long as somebody asks for them.</summary>
internal sealed class SampledPart
{
    /// <summary>Who has not asked for so long does not want the rows any more.</summary>
    private static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(15);

    private readonly TimeProvider _time;
    private readonly List<byte[]> _rows = [];
    private readonly int _size;
    private readonly Task _sampling;
    private readonly Signal _news;
    private long _heard;
    private volatile bool _isGivenUp;

    public SampledPart(SampleRowsRequest request, IDevice device, TrainedModels models, DeviceMetrics metrics, TimeProvider time)
    {
        (_time, _size, _heard) = (time, request.Model.Size, time.GetTimestamp());
        _news = new(time);
        // The work does not belong to the grain activation that asked first.
        _sampling = Task.Run(() => SampleAsync(request, device, models, metrics));
    }

    /// <summary>Nobody has asked for a long time; who asks after that, however soon, has it sampled anew.</summary>
    public bool IsForgotten => _isGivenUp || _time.GetElapsedTime(Volatile.Read(ref _heard)) > IdleTimeout;

    /// <summary>Rows from number <paramref name="from"/> on, as soon as that is finished.</summary>
    public async Task<SampleRowsResponse> ReadAsync(int from)
    {
        // A call counts when it comes: one that is still open does not say whether somebody waits, and whoever waits calls again.
        Volatile.Write(ref _heard, _time.GetTimestamp());
        while (true)
        {
            Task change;
            lock (_rows)
            {
                if (_rows.Count > from)
                    return new([.. _rows.Skip(from)]);
                change = _news.WaitAsync(Timeout.InfiniteTimeSpan);
            }

            await Task.WhenAny(change, _sampling);
            if (_sampling.IsCompleted && _rows.Count <= from)
            {
                await _sampling;
                throw new StaleOrderException($"Row {from} was not sampled: nobody had asked for it for {IdleTimeout.TotalSeconds} s.");
            }
        }
    }

    private async Task SampleAsync(SampleRowsRequest request, IDevice device, TrainedModels models, DeviceMetrics metrics)
    {
        ImageSampling images = await device.RunAsync(() => models.Sample(request));
        metrics.BeginPart();
        try
        {
            while (_rows.Count < _size && !(_isGivenUp = IsForgotten))
            {
                byte[] row = await device.RunAsync(images.SampleRow);
                lock (_rows)
                {
                    _rows.Add(row);
                    _news.Raise();
                }
            }

            metrics.AddSampled(_rows.Count == _size ? request.End - request.First : 0);
        }
        finally
        {
            metrics.EndPart();
            await device.RunAsync(images.Dispose);
        }
    }
}
