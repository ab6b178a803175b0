using Orleans.Concurrency;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Weights;

namespace PixelCnnCluster.Actors.Jobs;

/// <summary>Finds trained models, and moves their weights.</summary>
[StatelessWorker]
public sealed class ModelsGrain(AllowedFolders folders) : Grain, IModelsGrain
{
    public async Task<ModelInfo> FindAsync(string model)
    {
        // Whether something lies there or not, so that a name means the same on every silo.
        if (model.Contains('/', StringComparison.Ordinal) || model.EndsWith(".safetensors", StringComparison.Ordinal))
        {
            folders.Check(model, "--model");
            return ModelFiles.Find(model);
        }

        return ModelFiles.Read(await GrainFactory.GetGrain<ITrainingRunGrain>(model).CheckpointAsync());
    }

    public Task<ExportedWeights> ExportAsync(ModelInfo model, string path)
    {
        folders.Check(model.Path, "--model");
        folders.Check(path, "--output");
        return Task.Run(() => WeightFiles.Export(model, Path.GetFullPath(path)));
    }

    public Task<ModelInfo> ImportAsync(string path, string saveDir, int? imageSize)
    {
        folders.Check(path, "The file");
        folders.Check(saveDir, "--save-dir");
        return Task.Run(() => ModelFiles.Read(WeightFiles.Import(path, Path.GetFullPath(saveDir), imageSize)));
    }
}
