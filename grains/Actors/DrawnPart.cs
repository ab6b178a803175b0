using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors;

/// <summary>A sampler's part of a job: draws row after row as long as somebody asks for them.</summary>
internal sealed class DrawnPart
{
    /// <summary>Who has not asked for so long does not want the rows any more.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(15);

    private readonly TimeProvider time;
    private readonly List<byte[]> rows = [];
    private readonly int size;
    private readonly Task drawing;
    private TaskCompletionSource news = NewSignal();
    private long heard;
    private volatile bool isGivenUp;

    public DrawnPart(DrawOrder order, IDevice device, TrainedModels models, DeviceMetrics metrics, TimeProvider time)
    {
        (this.time, size, heard) = (time, order.Model.Size, time.GetTimestamp());
        // Apart from the grain activation that asked first.
        drawing = Task.Run(() => DrawAsync(order, device, models, metrics));
    }

    /// <summary>Nobody has asked for a long time; who asks after that, however soon, has it drawn anew.</summary>
    public bool IsForgotten => isGivenUp || time.GetElapsedTime(Volatile.Read(ref heard)) > Silence;

    /// <summary>Rows from number <paramref name="from"/> on, as soon as that is finished.</summary>
    public async Task<DrawnRows> ReadAsync(int from)
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

            await Task.WhenAny(change, drawing);
            if (drawing.IsCompleted && rows.Count <= from)
            {
                await drawing;
                throw new StaleOrderException($"Row {from} was not drawn: nobody had asked for it for {Silence.TotalSeconds} s.");
            }
        }
    }

    private async Task DrawAsync(DrawOrder order, IDevice device, TrainedModels models, DeviceMetrics metrics)
    {
        Drawing images = await device.RunAsync(() => models.Draw(order));
        metrics.BeginPart();
        try
        {
            while (rows.Count < size && !(isGivenUp = IsForgotten))
            {
                byte[] row = await device.RunAsync(images.DrawRow);
                lock (rows)
                {
                    rows.Add(row);
                    news.SetResult();
                    news = NewSignal();
                }
            }

            metrics.AddDrawn(rows.Count == size ? order.End - order.First : 0);
        }
        finally
        {
            metrics.EndPart();
            await device.RunAsync(images.Dispose);
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
