using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Training.Data;
using PixelCnnCluster.Training.Devices;

namespace PixelCnnCluster.Training;

/// <summary>Loads models for jobs and keeps the newest. Its methods are called on the device.</summary>
public sealed class TrainedModels(DeviceThreads threads, DataSets dataSets, AllowedFolders folders)
{
    /// <summary>A job asks for a few images at a time; its data set is not looked for anew each time.</summary>
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromSeconds(10);

    private TrainedModel? _loaded;

    /// <summary>Images that keep all threads busy for a moment.</summary>
    public int ScoredAtOnce => threads.Count * TrainedModel.Batch;

    /// <exception cref="UserErrorException">The model cannot be used.</exception>
    public ImageSampling Sample(SampleRowsRequest request) => Load(request.Model).Sample(request);

    /// <exception cref="UserErrorException">The model or the data set cannot be used.</exception>
    public ImagesScored Score(ScoreRequest request)
    {
        TrainedModel model = Load(request.Model);
        (double[] bits, ScoreMaps? maps) = request.DataSet is { } half
            ? model.Score(ImagesOf(half, request.Model, BetweenLooks), request.First, request.End, label: null, request.Maps)
            : model.Score(ImagesIn(request), 0, request.End - request.First, request.Class, request.Maps);
        return new(request.First, bits, maps);
    }

    /// <param name="mayBeOld">See <see cref="DataSets.Get"/>.</param>
    /// <exception cref="UserErrorException">The data set cannot be used, or has not the model's kind of images.</exception>
    public ImageSet ImagesOf(DataSetHalf half, ModelInfo model, TimeSpan mayBeOld = default)
    {
        if (half.DataSet != DataSet.Digits)
            folders.Check(half.DataDir, "--data-dir");
        ImageData data = dataSets.Get(half.DataSet, half.DataDir, model.Size, mayBeOld);
        ImageSet images = half.Train ? data.Train : data.Test;
        if ((images.Channels, images.Size) != (model.Channels, model.Size))
        {
            throw new UserErrorException(
                $"The {half.DataSet} data set has images of {images.Size}x{images.Size} pixels with {images.Channels} channels, and " +
                $"{model.Path} models {model.Size}x{model.Size} with {model.Channels}; name another with --data-set.");
        }

        return model.Classes == 0 || model.Classes == images.Classes ? images : throw new UserErrorException(
            $"The {half.DataSet} data set has labels of {images.Classes} classes, and {model.Path} is conditioned on " +
            $"{model.Classes}; name another with --data-set.");
    }

    private static ImageSet ImagesIn(ScoreRequest request)
    {
        var images = new ImageSetBuilder(request.Model.Channels, request.Model.Size, classes: 0);
        foreach (byte[] image in request.Images!.Chunk(request.Model.ImageBytes))
            image.CopyTo(images.Add(label: 0));
        return images.Build();
    }

    private TrainedModel Load(ModelInfo model)
    {
        folders.Check(model.Path, "--model");
        CheckpointFolder.HoldOn(model.Path);
        if (_loaded?.Info.StateHash != model.StateHash)
        {
            _loaded?.Dispose();
            _loaded = null;
            _loaded = TrainedModel.Load(model, threads);
        }

        return _loaded;
    }
}
