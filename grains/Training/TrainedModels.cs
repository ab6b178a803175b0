using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.Data;

namespace PixelCnnCluster.Training;

/// <summary>Loads models for jobs and keeps the newest. Its methods are called on the device.</summary>
public sealed class TrainedModels(DeviceThreads threads, DataSets dataSets, AllowedFolders folders)
{
    private TrainedModel? loaded;

    /// <summary>Images that keep all threads busy for a moment.</summary>
    public int ScoredAtOnce => threads.Count * TrainedModel.Batch;

    /// <exception cref="UserErrorException">The model cannot be used.</exception>
    public ImageSampling Sample(SampleRowsRequest order) => Load(order.Model).Sample(order);

    /// <exception cref="UserErrorException">The model or the data set cannot be used.</exception>
    public ImagesScored Score(ScoreRequest order)
    {
        TrainedModel model = Load(order.Model);
        (double[] bits, ScoreMaps? maps) = order.DataSet is { } half
            ? model.Score(ImagesOf(half, order.Model), order.First, order.End, label: null, order.Maps)
            : model.Score(ImagesIn(order), 0, order.End - order.First, order.Class, order.Maps);
        return new(order.First, bits, maps);
    }

    /// <exception cref="UserErrorException">The data set cannot be used, or has not the model's kind of images.</exception>
    public ImageSet ImagesOf(DataSetHalf half, ModelInfo model)
    {
        if (half.DataSet != DataSet.Digits)
            folders.Check(half.DataDir, "--data-dir");
        ImageData data = dataSets.Get(half.DataSet, half.DataDir, model.Size);
        ImageSet images = half.Train ? data.Train : data.Test;
        if ((images.Channels, images.Size) != (model.Channels, model.Size))
        {
            throw new UserErrorException(
                $"The {half.DataSet} data set has images of {images.Size}x{images.Size} pixels with {images.Channels} channels, and {model.Path} models {model.Size}x{model.Size} with {model.Channels}; name another with --data-set.");
        }

        return model.Classes == 0 || model.Classes == images.Classes ? images : throw new UserErrorException(
            $"The {half.DataSet} data set has labels of {images.Classes} classes, and {model.Path} is conditioned on {model.Classes}; name another with --data-set.");
    }

    private static ImageSet ImagesIn(ScoreRequest order)
    {
        var images = new ImageSetBuilder(order.Model.Channels, order.Model.Size, classes: 0);
        foreach (byte[] image in order.Images!.Chunk(order.Model.ImageBytes))
            image.CopyTo(images.Add(label: 0));
        return images.Build();
    }

    private TrainedModel Load(ModelInfo card)
    {
        folders.Check(card.Path, "--model");
        CheckpointFolder.HoldOn(card.Path);
        if (loaded?.Card.StateHash != card.StateHash)
        {
            loaded?.Dispose();
            loaded = null;
            loaded = TrainedModel.Load(card, threads);
        }

        return loaded;
    }
}
