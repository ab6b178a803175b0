using Orleans.Concurrency;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors;

/// <summary>Finds trained models.</summary>
[StatelessWorker]
public sealed class ModelsGrain : Grain, IModelsGrain
{
    public async Task<ModelCard> FindAsync(string model)
    {
        if (Path.Exists(model))
            return ModelCard.Find(model);
        // What looks like a path is one, so that the mistake is told as one of paths.
        if (model.Contains('/', StringComparison.Ordinal) || model.EndsWith(".safetensors", StringComparison.Ordinal))
            return ModelCard.Find(model);
        return ModelCard.Read(await GrainFactory.GetGrain<ITrainingRunGrain>(model).CheckpointAsync());
    }
}
