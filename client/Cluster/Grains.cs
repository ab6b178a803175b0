using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Cluster;

/// <summary>What a console asks of a cluster.</summary>
/// <param name="Run">The coordinator of the run of that name.</param>
/// <param name="Job">The job of that key.</param>
public sealed record Grains(
    IClusterGrain Cluster, Func<string, ITrainingRunGrain> Run, Func<IModelsGrain> Models, Func<Guid, IJobGrain> Job);
