using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>What a run's coordinator sees of the cluster.</summary>
/// <param name="Find">The grain of a worker. Throws if the cluster has no such worker.</param>
/// <param name="ProcessOf">Identity of the process that has a worker's name; null while the cluster has none.</param>
/// <param name="Reconcile">Asks the cluster to share its workers out anew.</param>
internal sealed record RunCluster(Func<string, IWorkerGrain> Find, Func<string, string?> ProcessOf, Action Reconcile);
