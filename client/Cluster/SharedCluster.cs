using System.Net.Sockets;
using PixelCnnCluster.Contracts;
using StackExchange.Redis;

namespace PixelCnnCluster.Client.Cluster;

/// <summary>A cluster that runs whether a console looks or not.</summary>
public static class SharedCluster
{
    private static readonly TimeSpan RedisTimeout = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan SiloTimeout = TimeSpan.FromSeconds(30);

    /// <exception cref="UserErrorException">There is no such cluster, it is of another version, or none of its silos answers.</exception>
    public static async Task<ClusterConnection> ConnectAsync(ClusterAddress address, CancellationToken cancel)
    {
        ClusterAccess access = LocalAccess.Find(address) ?? ClusterAccess.FromEnvironment();
        CheckVersion(address, await ReadVersionAsync(address, access, cancel));
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        timeout.CancelAfter(SiloTimeout);
        try
        {
            return await ClusterConnection.OpenAsync(address, access, timeout.Token);
        }
        catch (Exception e)
            when (!cancel.IsCancellationRequested && e is OrleansException or OperationCanceledException or TimeoutException
                or SocketException)
        {
            string certificates = access.Certificates is null
                ? $"; if the silos have certificates, name the folder of this console's with {ClusterAccess.TlsVariable}"
                : $" and that they are of the same authority as {ClusterAccess.TlsVariable}";
            throw new UserErrorException(
                $"No silo of cluster {address.Id} answers, though some have registered at {address.Redis}; see that one runs and that " +
                $"its gateway port can be reached from here{certificates}.",
                e);
        }
    }

    private static async Task<string?> ReadVersionAsync(ClusterAddress address, ClusterAccess access, CancellationToken cancel)
    {
        ConfigurationOptions options = access.Options(address);
        (options.ConnectTimeout, options.ConnectRetry) = ((int)RedisTimeout.TotalMilliseconds, 1);
        try
        {
            await using ConnectionMultiplexer redis = await ConnectionMultiplexer.ConnectAsync(options).WaitAsync(2 * RedisTimeout, cancel);
            return await redis.GetDatabase().StringGetAsync(ClusterNames.VersionKey(address.Id)).WaitAsync(RedisTimeout, cancel);
        }
        catch (Exception e) when (e is RedisException or TimeoutException or SocketException)
        {
            if (ClusterNames.IsRefusal(e))
                throw new UserErrorException(
                    $"Redis at {address.Redis} refuses the password; give the right one with {ClusterAccess.PasswordVariable}.", e);
            throw new UserErrorException(
                $"No Redis answers at {address.Redis}; see that it runs there, or give the right host:port with --cluster.", e);
        }
    }

    private static void CheckVersion(ClusterAddress address, string? version)
    {
        if (version is null)
        {
            throw new UserErrorException(
                $"No silo has registered at {address.Redis} under the cluster id {address.Id}; start one with " +
                $"--Silo:Redis={address.Redis} --Silo:ClusterId={address.Id}, or give another id with --cluster {address.Redis}/ID.");
        }

        if (version != ClusterNames.Version)
        {
            throw new UserErrorException(
                $"The silos of {address} are of version {version} and this console is of version {ClusterNames.Version}; take the " +
                $"console of version {version}, or start the silos anew with version {ClusterNames.Version}.");
        }
    }
}
