using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;
using StackExchange.Redis;

namespace PixelCnnCluster.Client.Cluster;

/// <summary>What a shared cluster may ask of a console before it lets it in.</summary>
/// <param name="RedisUser">Who has the password; null for Redis' default user.</param>
/// <param name="RedisTls">File with the authority of Redis' certificate; null for a Redis without TLS.</param>
public sealed record ClusterAccess(
    string? RedisPassword = null, ClusterCertificates? Certificates = null, string? RedisUser = null, string? RedisTls = null)
{
    /// <summary>Environment variables: flags would be seen by every user of the machine.</summary>
    public const string PasswordVariable = "PIXELCNN_REDIS_PASSWORD", TlsVariable = "PIXELCNN_TLS", UserVariable = "PIXELCNN_REDIS_USER",
        RedisTlsVariable = "PIXELCNN_REDIS_TLS";

    /// <summary>A cluster that lets in whoever reaches it.</summary>
    public static ClusterAccess Open { get; } = new();

    /// <exception cref="UserErrorException">The certificates cannot be used.</exception>
    public static ClusterAccess FromEnvironment() => new(
        Variable(PasswordVariable), Variable(TlsVariable) is { } folder ? OpenCertificates(folder) : null, Variable(UserVariable),
        Variable(RedisTlsVariable));

    /// <summary>How the cluster's Redis is connected to.</summary>
    /// <exception cref="UserErrorException">The authority of Redis' certificate cannot be used.</exception>
    public ConfigurationOptions Options(ClusterAddress address)
    {
        var options = ConfigurationOptions.Parse(address.Redis);
        (options.User, options.Password) = (RedisUser, RedisPassword);
        try
        {
            if (RedisTls is not null)
            {
                options.Ssl = true;
                options.CertificateValidation += RedisAuthority.Trust(RedisTls);
            }
        }
        catch (UserErrorException mistake)
        {
            throw new UserErrorException($"{RedisTlsVariable}: {mistake.Message}", mistake);
        }

        return options;
    }

    /// <summary>One that is empty counts as not set.</summary>
    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

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
