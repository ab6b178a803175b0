using PixelCnnCluster.Client.Downloads;

namespace PixelCnnCluster.Client.Display;

/// <summary>Hands every report on at once and in order, which <see cref="Progress{T}"/> does not.</summary>
public sealed class DownloadReporter(Action<DownloadProgress> report) : IProgress<DownloadProgress>
{
    public void Report(DownloadProgress value) => report(value);
}
