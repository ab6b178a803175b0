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
    /// <summary>Parts that are sampled at a time, each of another job or of one that was cut anew.</summary>
    private const int MostParts = 256;

    /// <remarks>A job that is begun again on other samplers may be cut at other places.</remarks>
    private readonly Dictionary<(Guid Job, int First, int End), SampledPart> _parts = [];
    private readonly RepeatedCalls _calls = new();

    /// <exception cref="UserErrorException">The request asks for what there is not, or there are too many of others.</exception>
    public Task<SampleRowsResponse> SampleAsync(SampleRowsRequest request, int from)
    {
        request.Check();
        if (from < 0 || from >= request.Model.Size)
            throw new UserErrorException($"There is no row {from} of images of {request.Model.Size} rows; ask for another.");
        lock (_parts)
        {
            foreach (((Guid Job, int First, int End) key, SampledPart silent) in _parts.Where(entry => entry.Value.IsForgotten).ToList())
                _parts.Remove(key);
            if (!_parts.TryGetValue((request.Job, request.First, request.End), out SampledPart? part) && _parts.Count == MostParts)
                throw new UserErrorException($"{MostParts} parts of jobs are sampled here already; begin again when some have ended.");
            if (part is null)
                _parts.Add((request.Job, request.First, request.End), part = new(request, device, models, metrics, time));
            return part.ReadAsync(from);
        }
    }

    /// <exception cref="UserErrorException">The request asks for what there is not.</exception>
    public Task<ImagesScored> ScoreAsync(ScoreRequest request)
    {
        request.Check();
        return _calls.Once((request.Job, request.First, request.End), () => ScoreBySlicesAsync(request));
    }

    /// <exception cref="UserErrorException">There can be no such model.</exception>
    public Task<int> CountAsync(DataSetHalf half, ModelInfo model)
    {
        model.Check();
        return _calls.Once((half, model.StateHash), () => device.RunAsync(() => models.ImagesOf(half, model).Count));
    }

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
