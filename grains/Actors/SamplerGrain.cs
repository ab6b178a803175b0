using Orleans.GrainDirectory;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors;

/// <summary>The address of a <see cref="SamplerService"/>.</summary>
[WorkerPlacement, GrainDirectory(StoreNames.Directory)]
public sealed class SamplerGrain(SamplerService device) : Grain, ISamplerGrain
{
    public Task<SampleRowsResponse> SampleAsync(SampleRowsRequest request, int from) => device.SampleAsync(request, from);

    public Task<ImagesScored> ScoreAsync(ScoreRequest request) => device.ScoreAsync(request);

    public Task<int> CountAsync(DataSetHalf half, ModelInfo model) => device.CountAsync(half, model);
}
