using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Jobs;

/// <summary>What a job's coordinator sees of the cluster.</summary>
/// <param name="Samplers">Names of those that are there.</param>
/// <param name="Find">The grain of a sampler. Throws if the cluster has no such sampler.</param>
/// <param name="ProcessOf">Identity of the process that has a sampler's name; null while the cluster has none.</param>
internal sealed record JobCluster(Func<IReadOnlyList<string>> Samplers, Func<string, ISamplerGrain> Find, Func<string, string?> ProcessOf)
{
    public Timeouts Timeouts { get; init; } = new();
}
