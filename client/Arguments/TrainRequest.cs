using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Arguments;

/// <summary>What <c>train</c> was asked to do.</summary>
/// <param name="Spec">Its paths are absolute for a cluster of this machine's own, and as they were given for a shared one, on whose disks
/// they lie.</param>
/// <param name="Threads">Of each worker of a local cluster.</param>
/// <param name="Cluster">The shared cluster to train on; null for one of this machine's own.</param>
public sealed record TrainRequest(RunSpec Spec, int Threads, ClusterAddress? Cluster, bool Json, bool Detach)
{
    /// <summary>Show the settings and do nothing else.</summary>
    public bool PrintsConfig { get; init; }

    /// <summary>Name of the run: that of its folder.</summary>
    public string Run => Path.GetFileName(Path.TrimEndingDirectorySeparator(Spec.Output.SaveDir));

    /// <summary>Where a local cluster's silos write their logs.</summary>
    public string LogDir => Path.Combine(Spec.Output.SaveDir, "logs");
}
