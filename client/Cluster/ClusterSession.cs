using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Cluster;

/// <summary>A cluster for the time of one command: a shared one, or one silo of this machine's own that ends with it.</summary>
public sealed class ClusterSession : IAsyncDisposable
{
    private readonly LocalCluster? _local;
    private readonly ClusterConnection? _connection;
    private readonly string? _logDir;

    private ClusterSession(LocalCluster? local, ClusterConnection? connection, string? logDir) =>
        (_local, _connection, _logDir) = (local, connection, logDir);

    public Grains Grains => _local?.Grains ?? _connection!.Grains;

    /// <summary>The cluster is this machine's own.</summary>
    public bool IsLocal => _local is not null;

    /// <summary>Fails when nobody is left to answer.</summary>
    public Task Lost => _local?.Lost ?? Task.Delay(Timeout.Infinite);

    /// <exception cref="UserErrorException">There is no such cluster.</exception>
    public static async Task<ClusterSession> OpenAsync(ClusterAddress? shared, CancellationToken cancel)
    {
        if (shared is not null)
            return new(null, await SharedCluster.ConnectAsync(shared, cancel), null);
        string logDir = NewLogDir();
        try
        {
            LocalCluster local = await LocalCluster.StartAsync(
                workers: 1, Environment.ProcessorCount, logDir, Console.Error.WriteLine, cancel);
            return new(local, null, logDir);
        }
        catch (OperationCanceledException)
        {
            Directory.Delete(logDir, recursive: true);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is not null)
            await _connection.DisposeAsync();
        if (_local is null)
            return;
        // Afterwards all silos have ended, as if they were lost.
        bool wasLost = Lost.IsFaulted;
        await _local.DisposeAsync();
        // The log of a silo that was lost is worth keeping.
        if (!wasLost)
            Directory.Delete(_logDir!, recursive: true);
    }

    private static string NewLogDir()
    {
        try
        {
            return Directory.CreateTempSubdirectory("pixelcnn-").FullName;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(
                $"The folder for temporary files, {Path.GetTempPath()}, cannot be written to; make it, or name another with TMPDIR.",
                fault);
        }
    }
}
