using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Cluster;

/// <summary>An Orleans client that is connected to a cluster's silos.</summary>
public sealed class ClusterConnection : IAsyncDisposable
{
    /// <summary>A gateway that died without a word is noticed after this long.</summary>
    private static readonly TimeSpan ResponseTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Silos that come and go are known this soon; Orleans' own minute is longer than a run's watcher waits.</summary>
    private static readonly TimeSpan GatewayRefresh = TimeSpan.FromSeconds(2);

    private readonly IHost _host;

    private ClusterConnection(ClusterAddress address, ClusterAccess access)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.UseOrleansClient(client =>
        {
            client.UseRedisClustering(options => options.ConfigurationOptions = access.Options(address))
                .Configure<ClusterOptions>(options => (options.ClusterId, options.ServiceId) = (address.Id, ClusterNames.ServiceId))
                .Configure<GatewayOptions>(options => options.GatewayListRefreshPeriod = GatewayRefresh)
                .Configure<ClientMessagingOptions>(options => options.ResponseTimeout = ResponseTimeout);
            if (access.Certificates is { } certificates)
                client.UseTls(certificates.Secure);
        });
        _host = builder.Build();
    }

    public Grains Grains => new(
        Client.GetGrain<IClusterGrain>(0), run => Client.GetGrain<ITrainingRunGrain>(run), () => Client.GetGrain<IModelsGrain>(0),
        job => Client.GetGrain<IJobGrain>(job));

    private IClusterClient Client => _host.Services.GetRequiredService<IClusterClient>();

    /// <summary>Connects to one of the cluster's silos, which takes as long as <paramref name="cancel"/> lets it.</summary>
    public static async Task<ClusterConnection> OpenAsync(ClusterAddress address, ClusterAccess access, CancellationToken cancel)
    {
        var connection = new ClusterConnection(address, access);
        try
        {
            await connection._host.StartAsync(cancel).WaitAsync(cancel);
            return connection;
        }
        catch
        {
            connection._host.Dispose();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }
}
