using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Cluster;

/// <summary>What a console asks of a cluster.</summary>
/// <param name="Run">The coordinator of the run of that name.</param>
public sealed record Grains(IClusterGrain Cluster, Func<string, ITrainingRunGrain> Run);
