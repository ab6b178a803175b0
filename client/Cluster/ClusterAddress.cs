using System.Text.RegularExpressions;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Cluster;

/// <summary>Where a cluster is found.</summary>
/// <param name="Redis">host:port of the Redis in which its silos register; or those of its Sentinels, and the name that they know it
/// by.</param>
/// <param name="Id">Orleans' cluster id, under which they do.</param>
public sealed partial record ClusterAddress(string Redis, string Id = ClusterNames.DefaultClusterId)
{
    private const string Place = @"([^\s:/,=\[\]]+|\[[0-9a-fA-F:.]+\]):(?<port>[0-9]{1,5})";

    public static bool TryParse(string text, out ClusterAddress? address)
    {
        address = null;
        if (Pattern().Match(text) is not { Success: true } match
            || match.Groups["port"].Captures.Any(port => int.Parse(port.ValueSpan) is < 1 or > 65535))
        {
            return false;
        }

        address = new(
            match.Groups["redis"].Value, match.Groups["id"] is { Success: true, Value: var id } ? id : ClusterNames.DefaultClusterId);
        return true;
    }

    /// <summary>As <c>--cluster</c> takes it.</summary>
    public override string ToString() => Id == ClusterNames.DefaultClusterId ? Redis : $"{Redis}/{Id}";

    [GeneratedRegex(
        $@"^(?<redis>{Place}((,{Place})*,serviceName=[^\s,=/]+)?)(/(?<id>[^\s/]+))?\z", RegexOptions.ExplicitCapture)]
    private static partial Regex Pattern();
}
