using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Cluster;

/// <summary>A cluster of this machine's own: an embedded store, one silo process per worker, and a client connected to them.</summary>
public sealed class LocalCluster : IAsyncDisposable
{
    /// <summary>A gateway that died without a word is noticed after this long.</summary>
    private static readonly TimeSpan ResponseTimeout = TimeSpan.FromSeconds(10);

    private readonly string _clusterId = $"local-{Guid.NewGuid():N}";
    private readonly EmbeddedStore _store = new();
    private readonly List<SiloProcess> _silos = [];
    private IHost? _client;

    private LocalCluster() { }

    /// <summary>Fails when every silo has ended, and never completes otherwise.</summary>
    public Task Lost { get; private set; } = Task.CompletedTask;

    public IClusterClient Client => _client!.Services.GetRequiredService<IClusterClient>();

    /// <summary>Starts all silos at once and waits until every one is up.</summary>
    /// <param name="threads">Threads of each worker.</param>
    /// <param name="logDir">Existing folder; each silo's log is named after its worker.</param>
    /// <exception cref="ClusterFaultException">A silo ended before it was ready.</exception>
    public static async Task<LocalCluster> StartAsync(int workers, int threads, string logDir, CancellationToken cancel)
    {
        var cluster = new LocalCluster();
        try
        {
            var ports = FreePorts.Find(2 * workers);
            for (var i = 0; i < workers; i++)
                cluster._silos.Add(cluster.StartSilo($"worker-{i}", ports[2 * i], ports[2 * i + 1], threads, logDir));
            cluster.Lost = cluster.ThrowWhenLostAsync();
            // The first failure ends the wait for the others.
            await foreach (var ready in Task.WhenEach(cluster._silos.Select(silo => silo.Ready)).WithCancellation(cancel))
                await ready;
            cluster._client = cluster.BuildClient();
            // Without the second task a client whose silos are gone would keep on trying for minutes.
            await await Task.WhenAny(cluster._client.StartAsync(cancel), cluster.Lost);
            return cluster;
        }
        catch
        {
            cluster.Kill();
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends the silos without grace.</summary>
    public void Kill() => _silos.ForEach(silo => silo.Kill());

    public async ValueTask DisposeAsync()
    {
        // The client first: it would take the silos' end for a failure.
        if (_client is not null)
        {
            await _client.StopAsync();
            _client.Dispose();
        }

        await Task.WhenAll(_silos.Select(silo => silo.DisposeAsync().AsTask()));
        _store.Dispose();
    }

    private async Task ThrowWhenLostAsync()
    {
        await Task.WhenAll(_silos.Select(silo => silo.Exited));
        throw new ClusterFaultException($"Every worker has ended. {_silos[0].Tail}");
    }

    private SiloProcess StartSilo(string name, int port, int gatewayPort, int threads, string logDir) => SiloProcess.Start(
        name,
        [
            "dotnet", SiloProgram.Find(AppContext.BaseDirectory),
            $"--Silo:Name={name}",
            $"--Silo:ClusterId={_clusterId}",
            $"--Silo:Redis={_store.Address}",
            $"--Silo:Port={port}",
            $"--Silo:GatewayPort={gatewayPort}",
            "--Silo:HttpPort=0",
            $"--Silo:Threads={threads}",
            "--Silo:StopWithInput=true",
        ],
        Path.Combine(logDir, $"{name}.log"));

    private IHost BuildClient()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.UseOrleansClient(client => client
            .UseRedisClustering(_store.Address)
            .Configure<ClusterOptions>(options => (options.ClusterId, options.ServiceId) = (_clusterId, ClusterNames.ServiceId))
            .Configure<ClientMessagingOptions>(options => options.ResponseTimeout = ResponseTimeout));
        return builder.Build();
    }
}
