using Orleans.Placement;
using Orleans.Runtime.Placement;

namespace PixelCnnCluster.Actors.Workers;

/// <summary>Binds a grain to the silo whose name is the grain's key.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class WorkerPlacementAttribute() : PlacementAttribute(new WorkerPlacement());

[GenerateSerializer, Immutable]
public sealed class WorkerPlacement : PlacementStrategy;

/// <summary>Finds the silo of that name; of several, as after a restart, the newest.</summary>
public sealed class WorkerPlacementDirector(ISiloStatusOracle silos) : IPlacementDirector
{
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        string name = target.GrainIdentity.Key.ToString()!;
        SiloAddress? silo = context.GetCompatibleSilos(target)
            .Where(address => silos.TryGetSiloName(address, out string? siloName) && siloName == name)
            .MaxBy(address => address.Generation);
        return silo is null
            ? throw new OrleansException($"No silo named {name} is in the cluster.")
            : Task.FromResult(silo);
    }
}
