using PixelCnnCluster.Actors.Telemetry;
using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Devices;

namespace PixelCnnCluster.Actors.Jobs;

/// <summary>
/// The silo's device in jobs with trained models, apart from any grain activation. It samples one row and scores a few images at a time,
/// so that a device that trains as well turns to its steps between them.
/// </summary>
public sealed class SamplerService(IDevice device, TrainedModels models, DeviceMetrics metrics, TimeProvider time)
{
    /// <remarks>A job that is begun again on other samplers may be cut at other places.</remarks>
    private readonly Dictionary<(Guid Job, int First, int End), SampledPart> _parts = [];
    private readonly RepeatedCalls _calls = new();

    public Task<SampleRowsResponse> SampleAsync(SampleRowsRequest request, int from)
    {
        lock (_parts)
        {
            foreach (((Guid Job, int First, int End) key, SampledPart silent) in _parts.Where(entry => entry.Value.IsForgotten).ToList())
                _parts.Remove(key);
            if (!_parts.TryGetValue((request.Job, request.First, request.End), out SampledPart? part))
                _parts.Add((request.Job, request.First, request.End), part = new(request, device, models, metrics, time));
            return part.ReadAsync(from);
        }
    }

    public Task<ImagesScored> ScoreAsync(ScoreRequest request) =>
        _calls.Once((request.Job, request.First, request.End), () => ScoreBySlicesAsync(request));

    public Task<int> CountAsync(DataSetHalf half, ModelInfo model) =>
        _calls.Once((half, model.StateHash), () => device.RunAsync(() => models.ImagesOf(half, model).Count));

    private async Task<ImagesScored> ScoreBySlicesAsync(ScoreRequest request)
    {
        List<ImagesScored> slices = [];
        for (int first = request.First; first < request.End; first += models.ScoredAtOnce)
        {
            int end = Math.Min(request.End, first + models.ScoredAtOnce), bytes = request.Model.ImageBytes;
            ScoreRequest slice =
                request with
                {
                    First = first,
                    End = end,
                    Images = request.Images?[((first - request.First) * bytes)..((end - request.First) * bytes)]
                };
            slices.Add(await device.RunAsync(() => models.Score(slice)));
            metrics.AddScored(end - first);
        }

        return new(
            request.First, [.. slices.SelectMany(slice => slice.Bits)],
            request.Maps ? new([.. slices.SelectMany(slice => slice.Maps!.Bits)], [.. slices.SelectMany(slice => slice.Maps!.Pixels)])
                : null);
    }
}
