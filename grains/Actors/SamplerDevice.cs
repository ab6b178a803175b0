using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors;

/// <summary>
/// The silo's device in jobs with trained models, apart from any grain activation. Rows are drawn one at a time, so that a device that trains
/// as well turns to its steps between them.
/// </summary>
public sealed class SamplerDevice(IDevice device, TrainedModels models, DeviceMetrics metrics, TimeProvider time)
{
    /// <remarks>A job that is begun again on other samplers may be cut at other places.</remarks>
    private readonly Dictionary<(Guid Job, int First, int End), DrawnPart> parts = [];
    private readonly RepeatedCalls calls = new();

    public Task<DrawnRows> DrawAsync(DrawOrder order, int from)
    {
        lock (parts)
        {
            foreach ((var key, DrawnPart silent) in parts.Where(entry => entry.Value.IsForgotten).ToList())
                parts.Remove(key);
            if (!parts.TryGetValue((order.Job, order.First, order.End), out DrawnPart? part))
                parts.Add((order.Job, order.First, order.End), part = new(order, device, models, metrics, time));
            return part.ReadAsync(from);
        }
    }

    public Task<ImagesScored> ScoreAsync(ScoreOrder order) => calls.Once((order.Job, order.First, order.End), () => device.RunAsync(() =>
    {
        ImagesScored scored = models.Score(order);
        metrics.AddScored(scored.Bits.Length);
        return scored;
    }));

    public Task<int> CountAsync(DataSetHalf half, ModelCard model) => calls.Once((half, model.StateHash), () => device.RunAsync(() => models.ImagesOf(half, model).Count));
}
