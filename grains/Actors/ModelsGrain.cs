using Orleans.Concurrency;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Weights;

namespace PixelCnnCluster.Actors;

/// <summary>Finds trained models, and moves their weights.</summary>
[StatelessWorker]
public sealed class ModelsGrain(AllowedFolders folders) : Grain, IModelsGrain
{
    public async Task<ModelCard> FindAsync(string model)
    {
        // Whether something lies there or not, so that a name means the same on every silo.
        if (model.Contains('/', StringComparison.Ordinal) || model.EndsWith(".safetensors", StringComparison.Ordinal))
        {
            folders.Check(model, "--model");
            return ModelCard.Find(model);
        }

        return ModelCard.Read(await GrainFactory.GetGrain<ITrainingRunGrain>(model).CheckpointAsync());
    }

    public Task<ExportedWeights> ExportAsync(ModelCard model, string path)
    {
        folders.Check(model.Path, "--model");
        folders.Check(path, "--output");
        return Task.Run(() => WeightFiles.Export(model, Path.GetFullPath(path)));
    }

    public Task<ModelCard> ImportAsync(string path, string saveDir, int? imageSize)
    {
        folders.Check(path, "The file");
        folders.Check(saveDir, "--save-dir");
        return Task.Run(() => ModelCard.Read(WeightFiles.Import(path, Path.GetFullPath(saveDir), imageSize)));
    }
}
