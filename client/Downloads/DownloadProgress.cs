namespace PixelCnnCluster.Client.Downloads;

/// <summary>How far the download of one file has come.</summary>
/// <param name="File">Name of the file.</param>
/// <param name="Bytes">Bytes on disk, those of an earlier attempt included.</param>
/// <param name="Total">Bytes of the whole file; null when the server does not say.</param>
public sealed record DownloadProgress(string File, long Bytes, long? Total);
