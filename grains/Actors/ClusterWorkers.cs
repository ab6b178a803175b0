using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors;

/// <summary>Which silos, and so which workers, the cluster has.</summary>
public sealed class ClusterWorkers(IClusterMembershipService membership, IGrainFactory grains)
{
    /// <summary>Names of the active silos, in order.</summary>
    public IReadOnlyList<string> Active() =>
        [.. membership.CurrentSnapshot.Members.Values.Where(member => member.Status == SiloStatus.Active).Select(member => member.Name).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>An item whenever a silo comes or goes.</summary>
    public IAsyncEnumerable<ClusterMembershipSnapshot> Changes => membership.MembershipUpdates;

    /// <exception cref="OrleansException">There is no such worker. Asked for the grain, the runtime would try for half a second.</exception>
    public IWorkerGrain Find(string name) => Active().Contains(name) ? grains.GetGrain<IWorkerGrain>(name) : throw new OrleansException($"No silo named {name} is in the cluster.");
}
