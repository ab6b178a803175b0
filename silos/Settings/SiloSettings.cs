using System.Net;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Silo.Settings;

/// <summary>
/// Settings of one silo, from the section Silo of the configuration: appsettings.json, environment (Silo__Name) or flags (--Silo:Name), the
/// later before the earlier. docs/operations.md has the table of them, which a test compares with this.
/// </summary>
public sealed record SiloSettings
{
    private const int LeastToken = 16;

    /// <summary>Name of the silo and its worker, unique in the cluster.</summary>
    public string Name { get; init; } = Environment.MachineName;

    /// <summary>Silos with the same id and the same Redis form one cluster.</summary>
    public string ClusterId { get; init; } = ClusterNames.DefaultClusterId;

    /// <summary>
    /// host:port of the Redis that holds the cluster's membership and the runs' records; or those of Sentinels, with commas between them,
    /// and serviceName=NAME. Beyond loopback it needs RedisPassword.
    /// </summary>
    public string Redis { get; init; } = "127.0.0.1:6379";

    /// <summary>Password of Redis. A secret: not taken from flags, which every user of the machine sees.</summary>
    public string? RedisPassword { get; init; }

    /// <summary>Name under which Redis knows who has the password; none for its default user.</summary>
    public string? RedisUser { get; init; }

    /// <summary>File with the authority of Redis' certificate, as PEM: Redis is then spoken to over TLS.</summary>
    public string? RedisTls { get; init; }

    /// <summary>IP address that other silos and consoles reach this one at. Beyond loopback it needs Tls and Folders.</summary>
    public string Address { get; init; } = "127.0.0.1";

    /// <summary>Port for other silos.</summary>
    public int Port { get; init; } = 11111;

    /// <summary>Port for consoles.</summary>
    public int GatewayPort { get; init; } = 30000;

    /// <summary>Port where workers bring each other gradients; 0 for any that is free.</summary>
    public int DataPort { get; init; }

    /// <summary>
    /// Folder with tls.crt, tls.key and ca.crt: only who has a certificate of that authority is talked to, silo or console. Read again for
    /// new connections.
    /// </summary>
    public string? Tls { get; init; }

    /// <summary>Silos and consoles beyond this machine may connect without Tls, and to a Redis without a password.</summary>
    public bool AllowPlaintext { get; init; }

    /// <summary>
    /// Folders, with a colon between them, that runs and models may read and write. None allows all that this user may, on loopback.
    /// </summary>
    public string Folders { get; init; } = "";

    /// <summary>IP address of the pages. Beyond loopback it needs HttpToken.</summary>
    public string HttpAddress { get; init; } = "127.0.0.1";

    /// <summary>Port of the page, /metrics, /health/live and /health/ready; 0 for none.</summary>
    public int HttpPort { get; init; }

    /// <summary>What who asks for a page beyond loopback has to show. A secret: not taken from flags.</summary>
    public string? HttpToken { get; init; }

    /// <summary>Whoever reaches the port may read /metrics.</summary>
    public bool OpenMetrics { get; init; }

    /// <summary>What the worker and the sampler compute on: cpu, cuda or cuda:N, the card with that number.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Threads that compute on the CPU; a GPU is fed by one.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Share of the machine's or container's memory that the worker may use on the CPU, above 0 and up to 1.</summary>
    public double MemoryShare { get; init; } = 1;

    /// <summary>How long a run's coordinator on this silo waits for answers.</summary>
    public Timeouts Timeouts { get; init; } = new();

    /// <summary>The silo takes part in sampling and scoring only, never in training.</summary>
    public bool SampleOnly { get; init; }

    /// <summary>The silo ends with its standard input, so that it never outlives the process that started it.</summary>
    public bool StopWithInput { get; init; }

    /// <summary>Name under which the cluster knows the silo.</summary>
    public string SiloName() => SampleOnly ? ClusterNames.SamplerPrefix + Name : Name;

    /// <summary>Where other silos reach this one.</summary>
    public string MemberAddress() => $"{Address}:{Port}";

    /// <summary>The parts of <see cref="Folders"/>.</summary>
    public string[] Roots() => Folders.Split(':', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>What is wrong, all at once.</summary>
    public IEnumerable<string> Validate()
    {
        foreach ((string name, int port, int least) in new[] { ("Port", Port, 1), ("GatewayPort", GatewayPort, 1),
            ("DataPort", DataPort, 0), ("HttpPort", HttpPort, 0) })
        {
            if (port < least || port > 65535)
                yield return $"Silo:{name} is {port}; give a port from {least} to 65535.";
        }

        if (new[] { Port, GatewayPort, DataPort, HttpPort }.Where(port => port > 0).CountBy(port => port).Any(pair => pair.Value > 1))
            yield return $"Silo:Port {Port}, Silo:GatewayPort {GatewayPort}, Silo:DataPort {DataPort} and Silo:HttpPort " +
                $"{HttpPort} are not different ports; change one.";
        foreach ((string name, string address) in new[] { ("Address", Address), ("HttpAddress", HttpAddress) })
        {
            if (!IPAddress.TryParse(address, out _))
                yield return $"Silo:{name} is {address}; give an IP address of this machine.";
        }

        if (!DeviceName.IsOne(Device))
            yield return $"Silo:Device is {Device}; give cpu, cuda or cuda:N.";
        if (IPAddress.TryParse(Address, out IPAddress? own) && (own.Equals(IPAddress.Any) || own.Equals(IPAddress.IPv6Any)))
            yield return $"Silo:Address is {Address}, where nobody can be reached; give the IP address that others reach this machine at.";
        if (Threads < 1)
            yield return $"Silo:Threads is {Threads}; give 1 or more.";
        foreach (string mistake in Timeouts.Validate())
            yield return mistake;
        if (MemoryShare is not (> 0 and <= 1))
            yield return $"Silo:MemoryShare is {MemoryShare}; give a number above 0 and up to 1.";
        foreach ((string name, string value) in new[] { ("Name", Name), ("ClusterId", ClusterId), ("Redis", Redis) })
        {
            if (string.IsNullOrWhiteSpace(value))
                yield return $"Silo:{name} is empty; give it a value.";
        }

        foreach (string root in Roots().Where(root => !Path.IsPathRooted(root)))
            yield return $"Silo:Folders has {root}; give full paths.";
        if (IsBeyondLoopback(Address) && Tls is null && !AllowPlaintext)
            yield return $"Silo:Address is {Address}, where others than this machine could connect; give certificates with Silo:Tls, or " +
                $"say Silo:AllowPlaintext=true.";
        if (IsBeyondLoopback(Address) && Roots().Length == 0)
            yield return $"Silo:Address is {Address}, where others than this machine could name paths; say with Silo:Folders which " +
                $"folders runs may use (/ for all).";
        if (!string.IsNullOrEmpty(HttpToken) && !CanGuard(HttpToken))
            yield return $"Silo:HttpToken is short or holds what a header cannot; give {LeastToken} or more letters, digits and signs of " +
                $"ASCII, without spaces, with the environment's Silo__HttpToken.";
        if (HttpPort > 0 && IsBeyondLoopback(HttpAddress) && string.IsNullOrEmpty(HttpToken))
            yield return $"Silo:HttpAddress is {HttpAddress}, where others than this machine could read the pages; give a secret with " +
                $"the environment's Silo__HttpToken.";
    }

    /// <summary>Long enough, and of the characters that headers and cookies carry as they are.</summary>
    private static bool CanGuard(string token) => token.Length >= LeastToken && token.All(c => c is > ' ' and <= '~');

    private static bool IsBeyondLoopback(string address) => IPAddress.TryParse(address, out IPAddress? ip) && !IPAddress.IsLoopback(ip);
}
