using Orleans.Concurrency;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.Weights;

namespace PixelCnnCluster.Actors;

/// <summary>Finds trained models, and moves their weights.</summary>
[StatelessWorker]
public sealed class ModelsGrain : Grain, IModelsGrain
{
    public async Task<ModelCard> FindAsync(string model)
    {
        // Whether something lies there or not, so that a name means the same on every silo.
        if (model.Contains('/', StringComparison.Ordinal) || model.EndsWith(".safetensors", StringComparison.Ordinal))
            return ModelCard.Find(model);
        return ModelCard.Read(await GrainFactory.GetGrain<ITrainingRunGrain>(model).CheckpointAsync());
    }

    public Task<ExportedWeights> ExportAsync(ModelCard model, string path) => Task.Run(() => WeightFiles.Export(model, Path.GetFullPath(path)));

    public Task<ModelCard> ImportAsync(string path, string saveDir, int? imageSize) => Task.Run(() => ModelCard.Read(WeightFiles.Import(path, Path.GetFullPath(saveDir), imageSize)));
}
