using Microsoft.Extensions.Logging;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.History;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>What all parts of a run's coordinator share.</summary>
/// <param name="Name">The run's.</param>
/// <param name="Lease">This coordinator's right to write the run's record.</param>
/// <param name="History">Takes what happens.</param>
internal sealed record RunContext(string Name, RunSpec Spec, RunLease Lease, RunHistory History, TimeProvider Time, ILogger Log)
{
    public Timeouts Timeouts { get; init; } = new();
}

/// <summary>What a run's coordinator sees of the cluster.</summary>
/// <param name="Find">The grain of a worker. Throws if the cluster has no such worker.</param>
/// <param name="ProcessOf">Identity of the process that has a worker's name; null while the cluster has none.</param>
/// <param name="Reconcile">Asks the cluster to share its workers out anew.</param>
internal sealed record RunCluster(Func<string, IWorkerGrain> Find, Func<string, string?> ProcessOf, Action Reconcile)
{
    public Timeouts Timeouts { get; init; } = new();
}
