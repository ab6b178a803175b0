using System.Diagnostics;
using System.Text.Json;
using PixelCnnCluster.Contracts;
using StackExchange.Redis;

namespace PixelCnnCluster.Silo;

/// <summary>A silo's sign of life in the cluster's Redis.</summary>
/// <param name="Place">Tells this machine, since its start, and this set of processes from all others.</param>
/// <param name="At">Redis' time, in milliseconds.</param>
internal sealed record SiloSign(string Version, string Place, int Process, string Address, long At)
{
    /// <summary>Processes of one place see each other by their numbers; those of two containers with one host name do not.</summary>
    public static string Here { get; } = $"{File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim()} " +
        $"{new FileInfo("/proc/self/ns/pid").LinkTarget}";

    /// <summary>A sign that is older is of a silo that has ended, or hangs.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(4);

    public bool IsOfLiving(DateTime now) =>
        new DateTimeOffset(now).ToUnixTimeMilliseconds() - At < Lifetime.TotalMilliseconds
            && (Place != Here || Exists());

    private bool Exists()
    {
        try
        {
            using var process = System.Diagnostics.Process.GetProcessById(Process);
            return Process != Environment.ProcessId && !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}

/// <summary>
/// Tells other silos each second that this one lives, and which version it is of. Two silos of one name would leave one machine idle, and
/// silos of different versions do not understand each other, so a silo that starts looks first.
/// </summary>
internal sealed partial class SiloPresence(
    ConfigurationOptions redis, string clusterId, string name, string address, TimeProvider time, ILogger<SiloPresence> log)
    : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1), LongestWait = TimeSpan.FromSeconds(6);

    /// <summary>Looks whether the cluster has a place for a silo of this name and version.</summary>
    /// <remarks>A silo that was killed elsewhere is awaited until its last sign is old.</remarks>
    /// <exception cref="UserErrorException">It has not.</exception>
    public static async Task CheckAsync(IConnectionMultiplexer store, string clusterId, string name, string address)
    {
        await AwaitPlaceAsync(store, clusterId, name);
        await SayAsync(store, clusterId, name, address);
        // Another silo may have looked at the same time: the one that wrote last has the name.
        await AwaitPlaceAsync(store, clusterId, name);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await using ConnectionMultiplexer store = await ConnectionMultiplexer.ConnectAsync(redis);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await SayAsync(store, clusterId, name, address);
            }
            catch (Exception fault) when (fault is RedisException or TimeoutException)
            {
                LogNotSaid(log, fault);
            }

            await Task.Delay(Interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await store.GetDatabase().HashDeleteAsync(KeyOf(clusterId), name, CommandFlags.FireAndForget);
    }

    private static async Task AwaitPlaceAsync(IConnectionMultiplexer store, string clusterId, string name)
    {
        long begun = Stopwatch.GetTimestamp();
        while (await RivalAsync(store, clusterId, name) is { } mistake)
        {
            if (Stopwatch.GetElapsedTime(begun) > LongestWait)
                throw new UserErrorException(mistake);
            await Task.Delay(Interval);
        }
    }

    private static async Task SayAsync(IConnectionMultiplexer store, string clusterId, string name, string address)
    {
        var sign = new SiloSign(
            ClusterNames.Version, SiloSign.Here, Environment.ProcessId, address,
            new DateTimeOffset(await NowAsync(store)).ToUnixTimeMilliseconds());
        await store.GetDatabase().HashSetAsync(KeyOf(clusterId), name, JsonSerializer.Serialize(sign));
    }

    /// <returns>What is in the way; null if nothing is.</returns>
    private static async Task<string?> RivalAsync(IConnectionMultiplexer store, string clusterId, string name)
    {
        DateTime now = await NowAsync(store);
        foreach (HashEntry entry in await store.GetDatabase().HashGetAllAsync(KeyOf(clusterId)))
        {
            if (JsonSerializer.Deserialize<SiloSign>(entry.Value.ToString()) is not { } other || !other.IsOfLiving(now))
                continue;
            if (entry.Name == name)
                return $"A silo named {name} runs at {other.Address}; give this one another name with Silo:Name.";
            if (other.Version != ClusterNames.Version)
            {
                return $"Silo {entry.Name} at {other.Address} is of version {other.Version} and this one of version " +
                    $"{ClusterNames.Version}, and they do not understand each other; stop all silos of the one version first.";
            }
        }

        return null;
    }

    private static async Task<DateTime> NowAsync(IConnectionMultiplexer store) => await store.GetServers()[0].TimeAsync();

    private static RedisKey KeyOf(string clusterId) => $"{ClusterNames.ServiceId}/{clusterId}/signs";

    [LoggerMessage(Level = LogLevel.Debug, Message = "Other silos could not be told that this one lives")]
    private static partial void LogNotSaid(ILogger log, Exception fault);
}
