using PixelCnnCluster.Contracts;
using StackExchange.Redis;

namespace PixelCnnCluster.Silo;

/// <summary>
/// Keeps in memory what the cluster has in Redis, about a second old. If Redis comes back without it, as one that keeps nothing on disk
/// does after a restart, the silo writes it again: to the cluster that is a store which has lost its newest writes, and runs go on.
/// </summary>
internal sealed partial class StoreMirror(
    ConfigurationOptions redis, string clusterId, ILocalSiloDetails silo, TimeProvider time, ILogger<StoreMirror> log)
    : BackgroundService
{
    private const string Version = "Version";

    /// <summary>Writes the version of the membership unless it is higher already: silos take no older one.</summary>
    private const string RaiseVersion = """
        if tonumber(redis.call('HGET', KEYS[1], 'Version') or '0') < tonumber(ARGV[1]) then
            redis.call('HSET', KEYS[1], 'Version', ARGV[1])
        end
        """;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>Orleans' key of the silos that the cluster has: a hash by their addresses, and the version.</summary>
    private readonly RedisKey _members = $"{ClusterNames.ServiceId}/members/{clusterId}";

    /// <summary>Keys of the cluster: its records, and where its grains are.</summary>
    private readonly RedisValue[] _patterns = [$"{ClusterNames.ServiceId}/*", $"{clusterId}/directory/*"];

    private HashEntry[] _membership = [];
    private Dictionary<RedisKey, byte[]> _others = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await using ConnectionMultiplexer store = await ConnectionMultiplexer.ConnectAsync(redis);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await LookAsync(store);
            }
            catch (Exception fault)
            {
                // It is away, or half filled by another silo. What matters is how it comes back.
                LogNotSeen(log, fault);
            }

            await Task.Delay(Interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task LookAsync(ConnectionMultiplexer store)
    {
        IDatabase keys = store.GetDatabase();
        if (IsMember(await keys.HashGetAllAsync(_members)))
            await CopyAsync(store, keys);
        else if (_membership.Length > 0)
            await WriteAgainAsync(keys);
    }

    private bool IsMember(HashEntry[] table) => table.Any(row => row.Name == silo.SiloAddress.ToString());

    private async Task CopyAsync(ConnectionMultiplexer store, IDatabase keys)
    {
        Dictionary<RedisKey, byte[]> copy = [];
        foreach (RedisValue pattern in _patterns)
        {
            await foreach (RedisKey key in store.GetServers()[0].KeysAsync(pattern: pattern))
            {
                if (key != _members && await keys.KeyDumpAsync(key) is { } content)
                    copy[key] = content;
            }
        }

        HashEntry[] table = await keys.HashGetAllAsync(_members);
        // Otherwise it may have been emptied meanwhile.
        if (IsMember(table))
            (_membership, _others) = (table, copy);
    }

    private async Task WriteAgainAsync(IDatabase keys)
    {
        LogEmpty(log, _others.Count + 1);
        foreach ((RedisKey key, byte[] content) in _others)
        {
            try
            {
                await keys.KeyRestoreAsync(key, content);
            }
            catch (RedisServerException fault) when (fault.Message.StartsWith("BUSYKEY", StringComparison.Ordinal))
            {
                // Another silo has written it.
            }
        }

        // This is written last: a silo that finds itself there takes the store for whole.
        foreach (HashEntry row in _membership.Where(row => row.Name != Version))
            await keys.HashSetAsync(_members, row.Name, row.Value, When.NotExists);
        await keys.ScriptEvaluateAsync(RaiseVersion, [_members], [(long)_membership.Single(row => row.Name == Version).Value + 1]);
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Redis could not be looked at")]
    private static partial void LogNotSeen(ILogger log, Exception fault);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Redis has lost the cluster; its {Count} keys are written again as they were a second ago. See that Redis keeps what " +
            "it acknowledges (appendfsync always)")]
    private static partial void LogEmpty(ILogger log, int count);
}
