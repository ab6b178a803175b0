using Orleans.Concurrency;
using PixelCnnCluster.Actors.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Weights;

namespace PixelCnnCluster.Actors.Jobs;

/// <summary>Finds trained models, and moves their weights.</summary>
[StatelessWorker]
public sealed class ModelsGrain(AllowedFolders folders, TimeProvider time) : Grain, IModelsGrain
{
    public async Task<ModelInfo> FindAsync(string model)
    {
        // It does not matter whether something lies there, so that a name means the same on every silo.
        if (model.Contains('/', StringComparison.Ordinal) || model.EndsWith(".safetensors", StringComparison.Ordinal))
        {
            return await FolderWork.DoAsync(
                model,
                () =>
                {
                    folders.Check(model, "--model");
                    return ModelFiles.Find(model);
                },
                time);
        }

        string checkpoint = await GrainFactory.GetGrain<ITrainingRunGrain>(model).CheckpointAsync();
        return await FolderWork.DoAsync(checkpoint, () => ModelFiles.Read(checkpoint), time);
    }

    public Task<ExportedWeights> ExportAsync(ModelInfo model, string path) => Task.Run(() =>
    {
        folders.Check(model.Path, "--model");
        folders.Check(path, "--output");
        return WeightFiles.Export(model, Path.GetFullPath(path));
    });

    public Task<ModelInfo> ImportAsync(string path, string saveDir, int? imageSize) => Task.Run(() =>
    {
        folders.Check(path, "The file");
        folders.Check(saveDir, "--save-dir");
        return ModelFiles.Read(WeightFiles.Import(path, Path.GetFullPath(saveDir), imageSize));
    });
}
