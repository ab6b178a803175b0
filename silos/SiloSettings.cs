using System.Net;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Silo;

/// <summary>Settings of one silo, from the section Silo of the configuration: appsettings, environment (Silo__Name) or flags (--Silo:Name).</summary>
internal sealed record SiloSettings
{
    /// <summary>Name of the silo and its worker, unique in the cluster.</summary>
    public string Name { get; init; } = Environment.MachineName;

    /// <summary>Silos with the same name and the same Redis form one cluster.</summary>
    public string ClusterId { get; init; } = ClusterNames.DefaultClusterId;

    /// <summary>host:port of the Redis that holds the cluster's membership.</summary>
    public string Redis { get; init; } = "127.0.0.1:6379";

    /// <summary>IP address that other silos and consoles reach this one at.</summary>
    public string Address { get; init; } = "127.0.0.1";

    /// <summary>Port for other silos.</summary>
    public int Port { get; init; } = 11111;

    /// <summary>Port for consoles.</summary>
    public int GatewayPort { get; init; } = 30000;

    /// <summary>Port of the page, /metrics, /health/live and /health/ready; 0 for none.</summary>
    public int HttpPort { get; init; }

    /// <summary>Threads of the worker's device.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>The silo takes part in sampling and scoring only, never in training.</summary>
    public bool SampleOnly { get; init; }

    /// <summary>Name under which the cluster knows the silo.</summary>
    public string SiloName => SampleOnly ? ClusterNames.SamplerPrefix + Name : Name;

    /// <summary>The silo ends with its standard input, so that it never outlives the process that started it.</summary>
    public bool StopWithInput { get; init; }

    /// <summary>What is wrong, all at once.</summary>
    public IReadOnlyList<string> Validate()
    {
        List<string> mistakes = [];
        foreach ((string name, int port, int least) in new[] { ("Port", Port, 1), ("GatewayPort", GatewayPort, 1), ("HttpPort", HttpPort, 0) })
        {
            if (port < least || port > 65535)
                mistakes.Add($"Silo:{name} is {port}; give a port from {least} to 65535.");
        }

        if (!IPAddress.TryParse(Address, out _))
            mistakes.Add($"Silo:Address is {Address}; give an IP address of this machine.");
        if (Threads < 1)
            mistakes.Add($"Silo:Threads is {Threads}; give 1 or more.");
        foreach ((string name, string value) in new[] { ("Name", Name), ("ClusterId", ClusterId), ("Redis", Redis) })
        {
            if (string.IsNullOrWhiteSpace(value))
                mistakes.Add($"Silo:{name} is empty; give it a value.");
        }

        return mistakes;
    }
}
