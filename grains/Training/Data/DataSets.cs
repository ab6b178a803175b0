using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Training.Data;

/// <summary>Keeps the data set that was read last, until its files change. Called on the device, or while nobody else does.</summary>
public sealed class DataSets
{
    private (string Key, DataStamp? Stamp, ImageData Data)? _loaded;

    /// <inheritdoc cref="ImageDataSets.Load"/>
    public ImageData Get(DataSet dataSet, string dataDir, int imageSize)
    {
        string key = $"{dataSet} {dataDir} {imageSize}";
        var stamp = DataStamp.Of(dataSet, dataDir);
        // Files that are away for a moment do not count as changed: what was read of them is good.
        if (_loaded is not { } loaded || loaded.Key != key || (stamp is not null && stamp != loaded.Stamp))
            _loaded = loaded = (key, stamp, ImageDataSets.Load(dataSet, dataDir, imageSize));
        return loaded.Data;
    }
}
