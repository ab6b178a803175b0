namespace PixelCnnCluster.Runner;

/// <summary>Nothing can run as asked. The message says what to do.</summary>
public sealed class UsageException(string message) : Exception(message);
