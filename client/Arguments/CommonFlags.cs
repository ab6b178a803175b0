using System.CommandLine;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Arguments;

/// <summary>Flags that several commands have.</summary>
public static class CommonFlags
{
    /// <summary>Environment variable that stands for <see cref="Cluster"/> where that is not given.</summary>
    public const string ClusterVariable = "PIXELCNN_CLUSTER";

    private static readonly ValueKind<ClusterAddress> Address = new("address", ClusterAddress.TryParse,
        "give host:port of the cluster's Redis, and /ID behind it if the cluster has an id of its own");

    public static readonly Valued<ClusterAddress> Cluster = new("--cluster", Address,
        $"The cluster: host:port of its Redis, and /ID behind it if its id is not {ClusterNames.DefaultClusterId}. Default: " +
        $"${ClusterVariable}. What the cluster asks for is taken from ${ClusterAccess.PasswordVariable} and " +
        $"${ClusterAccess.TlsVariable}, a folder with tls.crt, tls.key and ca.crt. Commands that train or use a model do without: " +
                $"they start a cluster of this machine's own.");

    public static readonly Switch Detach = new("--detach", "Return at once and leave the run to the cluster.");

    public static readonly Switch Json = new("--json", "Write one JSON object a line to standard output, and nothing else.");

    /// <summary>Whether a cluster is named at all; a name that cannot be read is added to <paramref name="mistakes"/>.</summary>
    /// <param name="variable">Value of <see cref="ClusterVariable"/>.</param>
    public static bool TryReadCluster(ParseResult result, string? variable, ICollection<string> mistakes, out ClusterAddress? address)
    {
        if (Cluster.IsGiven(result))
        {
            Cluster.TryRead(result, mistakes, out address);
            return true;
        }

        address = null;
        if (string.IsNullOrEmpty(variable))
            return false;
        if (!Address.Read(variable, out address))
            mistakes.Add($"{ClusterVariable} is \"{variable}\"; {Address.Remedy}.");
        return true;
    }
}
