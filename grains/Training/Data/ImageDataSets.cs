using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Training.Data;

/// <summary>Reads data sets as they are published, without unpacking them on disk.</summary>
public static class ImageDataSets
{
    /// <param name="dataDir">Folder that holds the data set; not used by <see cref="DataSet.Digits"/>.</param>
    /// <param name="imageSize">Side in pixels; used by <see cref="DataSet.ImageNet"/> and <see cref="DataSet.Folder"/>, the others have
    /// their own.</param>
    /// <exception cref="UserErrorException">A file is missing, may not be read or is not what it should be.</exception>
    public static ImageData Load(DataSet dataSet, string dataDir, int imageSize)
    {
        try
        {
            if (dataSet != DataSet.Digits && !Directory.Exists(dataDir))
                throw Missing(dataSet, dataDir, imageSize);
            return dataSet switch
            {
                DataSet.Digits => IdxFiles.LoadDigits(),
                DataSet.Mnist or DataSet.FashionMnist => IdxFiles.Load(Find(dataSet, dataDir)),
                DataSet.Cifar => CifarBatches.Load(Find(dataSet, dataDir)[0]),
                DataSet.ImageNet => SmallImageNet.Load(dataDir, imageSize) ?? throw Missing(dataSet, dataDir, imageSize),
                DataSet.Folder => ImageFolder.Load(dataDir, imageSize),
                _ => throw new ArgumentOutOfRangeException(nameof(dataSet), dataSet, null),
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(
                $"The data set cannot be read: {e.Message.TrimEnd('.')}; check the disk and this user's rights to --data-dir {dataDir}.",
                e);
        }
    }

    private static string[] Find(DataSet dataSet, string dataDir) =>
        [.. DataSetCatalog.Files(dataSet).Select(file => file.Find(dataDir) ?? throw Missing(dataSet, dataDir, 0))];

    private static UserErrorException Missing(DataSet dataSet, string dataDir, int imageSize)
    {
        string advice = dataSet switch
        {
            DataSet.Folder => "make it and put PNG or JPEG images into it",
            DataSet.ImageNet => $"put train_data_batch_1.npz and the other batches and val_data.npz, or train_{imageSize}x{imageSize}.tar "
                + $"and valid_{imageSize}x{imageSize}.tar, there; https://image-net.org/download-images hands them out after registration",
            _ => DataSetCatalog.Advice([.. DataSetCatalog.Files(dataSet).Where(file => file.Find(dataDir) is null)], dataDir),
        };
        string state = Directory.Exists(dataDir) ? $"lacks the {dataSet} data set, or a part of it" : File.Exists(dataDir)
            ? "is a file, not a folder" : "does not exist";
        return new($"--data-dir {dataDir} {state}; {advice}.");
    }
}
