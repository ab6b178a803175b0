namespace PixelCnnCluster.Actors;

/// <summary>Which silos, and so which workers, the cluster has.</summary>
public sealed class ClusterWorkers(IClusterMembershipService membership)
{
    /// <summary>Completes with the names of that many active silos, in order, as soon as there are so many.</summary>
    public async Task<IReadOnlyList<string>> WaitForAsync(int count)
    {
        await foreach (ClusterMembershipSnapshot snapshot in membership.MembershipUpdates)
        {
            string[] names = [.. snapshot.Members.Values.Where(member => member.Status == SiloStatus.Active).Select(member => member.Name).Order(StringComparer.Ordinal)];
            if (names.Length >= count)
                return names[..count];
        }

        throw new OperationCanceledException("The silo stopped while a run waited for workers.");
    }
}
