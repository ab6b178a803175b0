using System.Globalization;

namespace PixelCnnCluster.Client.Cluster;

/// <summary>
/// A cluster of this machine's own: an embedded store, one silo process per worker, and a client connected to them. Only consoles of the
/// same user can connect.
/// </summary>
public sealed class LocalCluster : IAsyncDisposable
{
    private readonly EmbeddedStore _store;
    private readonly LocalAccess _access;
    private readonly List<SiloSupervisor> _silos = [];
    private ClusterConnection? _connection;

    private LocalCluster()
    {
        string password = LocalAccess.NewPassword();
        _store = new(password);
        Address = new(_store.Address);
        _access = LocalAccess.Create(_store.Address, password);
    }

    /// <summary>Where other consoles of this user find the cluster.</summary>
    public ClusterAddress Address { get; }

    /// <summary>Fails when every silo has ended for good, and never completes otherwise.</summary>
    public Task Lost { get; private set; } = Task.CompletedTask;

    public Grains Grains => _connection!.Grains;

    /// <summary>Starts all silos at once and waits until every one is up. From then on one that ends is started again.</summary>
    /// <param name="threads">Threads of each worker.</param>
    /// <param name="logDir">Existing folder; each silo's log is named after its worker.</param>
    /// <param name="note">Is told of silos that a signal has ended.</param>
    /// <exception cref="ClusterFaultException">A silo ended before it was ready.</exception>
    public static async Task<LocalCluster> StartAsync(
        int workers, int threads, string logDir, Action<string> note, CancellationToken cancel)
    {
        var cluster = new LocalCluster();
        try
        {
            foreach (int i in Enumerable.Range(0, workers))
            {
                SiloProcess Start() => cluster.StartSilo($"worker-{i}", threads, 1.0 / workers, logDir);
                cluster._silos.Add(new SiloSupervisor(Start(), Start, note, TimeProvider.System));
            }

            cluster.Lost = cluster.ThrowWhenLostAsync();
            // The first failure ends the wait for the others.
            await foreach (Task ready in Task.WhenEach(cluster._silos.Select(silo => silo.Ready)).WithCancellation(cancel))
                await ready;
            Task<ClusterConnection> opening = ClusterConnection.OpenAsync(cluster.Address, cluster._access.Access, cancel);
            // Without the second task a client whose silos are gone would keep on trying for minutes.
            await await Task.WhenAny(opening, cluster.Lost);
            cluster._connection = await opening;
            return cluster;
        }
        catch
        {
            cluster.Kill();
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Kills the silos.</summary>
    public void Kill() => _silos.ForEach(silo => silo.Kill());

    public async ValueTask DisposeAsync()
    {
        // The client ends first: it would take the silos' end for a failure.
        if (_connection is not null)
            await _connection.DisposeAsync();
        await Task.WhenAll(_silos.Select(silo => silo.DisposeAsync().AsTask()));
        _store.Dispose();
        _access.Dispose();
    }

    private async Task ThrowWhenLostAsync()
    {
        await Task.WhenAll(_silos.Select(silo => silo.Ended));
        throw new ClusterFaultException($"Every worker has ended. {_silos[0].Tail}");
    }

    private SiloProcess StartSilo(string name, int threads, double share, string logDir)
    {
        int[] ports = FreePorts.Find(2);
        return SiloProcess.Start(
            name,
            [
                "dotnet", SiloProgram.Find(AppContext.BaseDirectory),
                $"--Silo:Name={name}",
                $"--Silo:ClusterId={Address.Id}",
                $"--Silo:Redis={Address.Redis}",
                $"--Silo:Port={ports[0]}",
                $"--Silo:GatewayPort={ports[1]}",
                $"--Silo:Tls={_access.Folder}",
                "--Silo:HttpPort=0",
                $"--Silo:Threads={threads}",
                string.Create(CultureInfo.InvariantCulture, $"--Silo:MemoryShare={share}"),
                "--Silo:StopWithInput=true",
            ],
            Path.Combine(logDir, $"{name}.log"),
            new Dictionary<string, string> { ["Silo__RedisPassword"] = _access.Access.RedisPassword! });
    }
}
