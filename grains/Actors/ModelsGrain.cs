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
        // What looks like a path is one even where nothing is, so that the mistake is told as one of paths.
        if (Path.Exists(model) || model.Contains('/', StringComparison.Ordinal) || model.EndsWith(".safetensors", StringComparison.Ordinal))
            return ModelCard.Find(model);
        return ModelCard.Read(await GrainFactory.GetGrain<ITrainingRunGrain>(model).CheckpointAsync());
    }

    public Task<ExportedWeights> ExportAsync(ModelCard model, string path) => Task.Run(() => WeightFiles.Export(model.Path, path));

    public Task<ModelCard> ImportAsync(string path, string saveDir, int? imageSize) => Task.Run(() => ModelCard.Read(WeightFiles.Import(path, saveDir, imageSize)));
}
