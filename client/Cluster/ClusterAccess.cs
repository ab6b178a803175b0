using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;
using StackExchange.Redis;

namespace PixelCnnCluster.Client.Cluster;

/// <summary>What a shared cluster may ask of a console before it lets it in.</summary>
public sealed record ClusterAccess(string? RedisPassword = null, ClusterCertificates? Certificates = null)
{
    /// <summary>Environment variables: flags would be seen by every user of the machine.</summary>
    public const string PasswordVariable = "PIXELCNN_REDIS_PASSWORD", TlsVariable = "PIXELCNN_TLS";

    /// <summary>A cluster that lets in whoever reaches it.</summary>
    public static ClusterAccess Open { get; } = new();

    /// <exception cref="UserErrorException">The certificates cannot be used.</exception>
    public static ClusterAccess FromEnvironment() => new(
        Environment.GetEnvironmentVariable(PasswordVariable),
        Environment.GetEnvironmentVariable(TlsVariable) is { Length: > 0 } folder ? OpenCertificates(folder) : null);

    /// <summary>How the cluster's Redis is connected to.</summary>
    public ConfigurationOptions Options(ClusterAddress address)
    {
        var options = ConfigurationOptions.Parse(address.Redis);
        options.Password = RedisPassword;
        return options;
    }

    private static ClusterCertificates OpenCertificates(string folder)
    {
        try
        {
            return ClusterCertificates.Open(folder);
        }
        catch (UserErrorException mistake)
        {
            throw new UserErrorException($"{TlsVariable}: {mistake.Message}", mistake);
        }
    }
}
