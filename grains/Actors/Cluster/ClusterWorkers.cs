using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Cluster;

/// <summary>Which silos, and so which workers and samplers, the cluster has.</summary>
public sealed class ClusterWorkers(IClusterMembershipService membership, IGrainFactory grains, Timeouts timeouts)
{
    /// <summary>Of the silo's settings.</summary>
    public Timeouts Timeouts => timeouts;

    /// <summary>Names of the active silos, in order: each has a sampler.</summary>
    public IReadOnlyList<string> Active() =>
        [.. membership.CurrentSnapshot.Members.Values.Where(member => member.Status == SiloStatus.Active).Select(member => member.Name)
            .Distinct().Order(StringComparer.Ordinal)];

    /// <summary>Names of those that train.</summary>
    public IReadOnlyList<string> Trainers() =>
        [.. Active().Where(name => !name.StartsWith(ClusterNames.SamplerPrefix, StringComparison.Ordinal))];

    /// <summary>Identity of the process that has a worker's name, the newest of several; null if none is active.</summary>
    public string? ProcessOf(string name) =>
        membership.CurrentSnapshot.Members.Values.Where(member => member.Status == SiloStatus.Active && member.Name == name)
        .MaxBy(member => member.SiloAddress.Generation)?.SiloAddress.ToParsableString();

    /// <summary>An item whenever a silo comes or goes.</summary>
    public IAsyncEnumerable<ClusterMembershipSnapshot> Changes => membership.MembershipUpdates;

    /// <exception cref="OrleansException">There is no such worker.</exception>
    public IWorkerGrain Find(string name) => Find<IWorkerGrain>(name);

    /// <exception cref="OrleansException">There is no such sampler.</exception>
    public ISamplerGrain FindSampler(string name) => Find<ISamplerGrain>(name);

    /// <remarks>Asked for the grain of a silo that is gone, the runtime would try for half a second.</remarks>
    private T Find<T>(string name)
        where T : IGrainWithStringKey =>
        Active().Contains(name) ? grains.GetGrain<T>(name) : throw new OrleansException($"No silo named {name} is in the cluster.");
}
