using System.Diagnostics;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Training.Data;

/// <summary>Keeps the data set that was read last, until its files change. Called on the device, or while nobody else does.</summary>
public sealed class DataSets
{
    private (string Key, DataStamp? Stamp, ImageData Data)? _loaded;

    private long _lookedAt;

    /// <inheritdoc cref="ImageDataSets.Load"/>
    /// <param name="mayBeOld">Files that were looked at so short a time ago are not looked at again: that takes long where there are
    /// many.</param>
    public ImageData Get(DataSet dataSet, string dataDir, int imageSize, TimeSpan mayBeOld = default)
    {
        string key = $"{dataSet} {dataDir} {imageSize}";
        if (_loaded is { } fresh && fresh.Key == key && Stopwatch.GetElapsedTime(_lookedAt) < mayBeOld)
            return fresh.Data;
        _lookedAt = Stopwatch.GetTimestamp();
        var stamp = DataStamp.Of(dataSet, dataDir);
        // Files that are away for a moment do not count as changed: what was read of them is good.
        if (_loaded is not { } loaded || loaded.Key != key || (stamp is not null && stamp != loaded.Stamp))
            _loaded = loaded = (key, stamp, ImageDataSets.Load(dataSet, dataDir, imageSize));
        return loaded.Data;
    }
}
