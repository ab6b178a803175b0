using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors;

/// <summary>
/// The silo's device in jobs with trained models, apart from any grain activation. Rows are drawn one at a time and images scored a few
/// at a time, so that a device that trains as well turns to its steps between them.
/// </summary>
public sealed class SamplerService(IDevice device, TrainedModels models, DeviceMetrics metrics, TimeProvider time)
{
    /// <remarks>A job that is begun again on other samplers may be cut at other places.</remarks>
    private readonly Dictionary<(Guid Job, int First, int End), SampledPart> parts = [];
    private readonly RepeatedCalls calls = new();

    public Task<SampleRowsResponse> SampleAsync(SampleRowsRequest order, int from)
    {
        lock (parts)
        {
            foreach ((var key, SampledPart silent) in parts.Where(entry => entry.Value.IsForgotten).ToList())
                parts.Remove(key);
            if (!parts.TryGetValue((order.Job, order.First, order.End), out SampledPart? part))
                parts.Add((order.Job, order.First, order.End), part = new(order, device, models, metrics, time));
            return part.ReadAsync(from);
        }
    }

    public Task<ImagesScored> ScoreAsync(ScoreRequest order) => calls.Once((order.Job, order.First, order.End), () => ScoreBySlicesAsync(order));

    public Task<int> CountAsync(DataSetHalf half, ModelInfo model) => calls.Once((half, model.StateHash), () => device.RunAsync(() => models.ImagesOf(half, model).Count));

    private async Task<ImagesScored> ScoreBySlicesAsync(ScoreRequest order)
    {
        List<ImagesScored> slices = [];
        for (int first = order.First; first < order.End; first += models.ScoredAtOnce)
        {
            int end = Math.Min(order.End, first + models.ScoredAtOnce), bytes = order.Model.ImageBytes;
            ScoreRequest slice = order with { First = first, End = end, Images = order.Images?[((first - order.First) * bytes)..((end - order.First) * bytes)] };
            slices.Add(await device.RunAsync(() => models.Score(slice)));
            metrics.AddScored(end - first);
        }

        return new(
            order.First, [.. slices.SelectMany(slice => slice.Bits)],
            order.Maps ? new([.. slices.SelectMany(slice => slice.Maps!.Bits)], [.. slices.SelectMany(slice => slice.Maps!.Pixels)]) : null);
    }
}
