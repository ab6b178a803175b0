using Orleans.GrainDirectory;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors;

/// <summary>The address of a <see cref="SamplerDevice"/>.</summary>
[WorkerPlacement, GrainDirectory(StoreNames.Directory)]
public sealed class SamplerGrain(SamplerDevice device) : Grain, ISamplerGrain
{
    public Task<DrawnRows> DrawAsync(DrawOrder order, int from) => device.DrawAsync(order, from);

    public Task<ImagesScored> ScoreAsync(ScoreOrder order) => device.ScoreAsync(order);

    public Task<int> CountAsync(DataSetHalf half, ModelCard model) => device.CountAsync(half, model);
}
