using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors;

/// <summary>A sampler's part of a job: draws row after row as long as somebody asks for them.</summary>
internal sealed class SampledPart
{
    /// <summary>Who has not asked for so long does not want the rows any more.</summary>
    private static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(15);

    private readonly TimeProvider time;
    private readonly List<byte[]> rows = [];
    private readonly int size;
    private readonly Task sampling;
    private TaskCompletionSource news = NewSignal();
    private long heard;
    private volatile bool isGivenUp;

    public SampledPart(SampleRowsRequest order, IDevice device, TrainedModels models, DeviceMetrics metrics, TimeProvider time)
    {
        (this.time, size, heard) = (time, order.Model.Size, time.GetTimestamp());
        // Apart from the grain activation that asked first.
        sampling = Task.Run(() => SampleAsync(order, device, models, metrics));
    }

    /// <summary>Nobody has asked for a long time; who asks after that, however soon, has it drawn anew.</summary>
    public bool IsForgotten => isGivenUp || time.GetElapsedTime(Volatile.Read(ref heard)) > IdleTimeout;

    /// <summary>Rows from number <paramref name="from"/> on, as soon as that is finished.</summary>
    public async Task<SampleRowsResponse> ReadAsync(int from)
    {
        // Once a call: a call that is still open says nothing of whether somebody waits, and who does calls again.
        Volatile.Write(ref heard, time.GetTimestamp());
        while (true)
        {
            Task change;
            lock (rows)
            {
                if (rows.Count > from)
                    return new([.. rows.Skip(from)]);
                change = news.Task;
            }

            await Task.WhenAny(change, sampling);
            if (sampling.IsCompleted && rows.Count <= from)
            {
                await sampling;
                throw new StaleOrderException($"Row {from} was not drawn: nobody had asked for it for {IdleTimeout.TotalSeconds} s.");
            }
        }
    }

    private async Task SampleAsync(SampleRowsRequest order, IDevice device, TrainedModels models, DeviceMetrics metrics)
    {
        ImageSampling images = await device.RunAsync(() => models.Sample(order));
        metrics.BeginPart();
        try
        {
            while (rows.Count < size && !(isGivenUp = IsForgotten))
            {
                byte[] row = await device.RunAsync(images.SampleRow);
                lock (rows)
                {
                    rows.Add(row);
                    news.SetResult();
                    news = NewSignal();
                }
            }

            metrics.AddSampled(rows.Count == size ? order.End - order.First : 0);
        }
        finally
        {
            metrics.EndPart();
            await device.RunAsync(images.Dispose);
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
