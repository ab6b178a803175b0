using Orleans.GrainDirectory;
using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Jobs;

/// <summary>The address of a <see cref="SamplerService"/>.</summary>
[WorkerPlacement, GrainDirectory(StoreNames.Directory)]
public sealed class SamplerGrain(SamplerService device) : Grain, ISamplerGrain
{
    public Task<SampleRowsResponse> SampleAsync(SampleRowsRequest request, int from) => device.SampleAsync(request, from);

    public Task<ImagesScored> ScoreAsync(ScoreRequest request) => device.ScoreAsync(request);

    public Task<int> CountAsync(DataSetHalf half, ModelInfo model) => device.CountAsync(half, model);
}
