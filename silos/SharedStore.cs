using PixelCnnCluster.Contracts;
using PixelCnnCluster.Silo.Settings;
using StackExchange.Redis;

namespace PixelCnnCluster.Silo;

/// <summary>The cluster's Redis, before Orleans takes it.</summary>
internal static class SharedStore
{
    /// <summary>Clocks that differ by more confuse the membership's signs of life and certificates.</summary>
    public static readonly TimeSpan MostSkew = TimeSpan.FromSeconds(5);

    /// <summary>Writes which version the cluster's silos are of. From then on the store may come and go.</summary>
    /// <returns>How much this machine's clock is ahead of Redis'.</returns>
    /// <exception cref="RedisException">No Redis is there, or it lets this silo do nothing.</exception>
    /// <exception cref="TimeoutException">It does not answer.</exception>
    /// <exception cref="UserErrorException">The cluster has no place for this silo.</exception>
    public static async Task<TimeSpan> SignAsync(ConfigurationOptions redis, SiloSettings settings)
    {
        await using ConnectionMultiplexer store = await ConnectionMultiplexer.ConnectAsync(redis);
        await SiloPresence.CheckAsync(store, settings.ClusterId, settings.SiloName(), settings.MemberAddress());
        await store.GetDatabase().StringSetAsync(ClusterNames.VersionKey(settings.ClusterId), ClusterNames.Version);
        redis.AbortOnConnectFail = false;
        DateTime there = await store.GetServers()[0].TimeAsync();
        return DateTime.UtcNow - there;
    }
}
