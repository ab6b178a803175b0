using Microsoft.Extensions.Logging;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;

namespace PixelCnnCluster.Actors.Workers;

/// <summary>How a worker reaches the others.</summary>
/// <param name="Find">The grain of a worker, which is asked for its state. Throws if the cluster has no such worker.</param>
/// <param name="Network">Direct connections, for gradients.</param>
/// <param name="Log">Told of workers that are not reached.</param>
public sealed record WorkerPeers(Func<string, IWorkerGrain> Find, IPeerNetwork Network, ILogger Log);
