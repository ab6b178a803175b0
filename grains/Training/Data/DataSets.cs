using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Training.Data;

/// <summary>Keeps the data set that was read last. Called on the device, or while nobody else does.</summary>
public sealed class DataSets
{
    private (string Key, ImageData Data)? _loaded;

    /// <inheritdoc cref="ImageDataSets.Load"/>
    public ImageData Get(DataSet dataSet, string dataDir, int imageSize)
    {
        string key = $"{dataSet} {dataDir} {imageSize}";
        if (_loaded?.Key != key)
            _loaded = (key, ImageDataSets.Load(dataSet, dataDir, imageSize));
        return _loaded.Value.Data;
    }
}
