using Orleans.GrainDirectory;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors;

/// <summary>The address of a <see cref="SamplerService"/>.</summary>
[WorkerPlacement, GrainDirectory(StoreNames.Directory)]
public sealed class SamplerGrain(SamplerService device) : Grain, ISamplerGrain
{
    public Task<SampleRowsResponse> SampleAsync(SampleRowsRequest order, int from) => device.SampleAsync(order, from);

    public Task<ImagesScored> ScoreAsync(ScoreRequest order) => device.ScoreAsync(order);

    public Task<int> CountAsync(DataSetHalf half, ModelInfo model) => device.CountAsync(half, model);
}
