using PixelCnnCluster.Exchange;

namespace PixelCnnCluster.Actors.Workers;

/// <summary>A call to a worker failed: it died, cannot be reached, or its work threw.</summary>
[GenerateSerializer]
public sealed class WorkerFaultException : Exception
{
    public WorkerFaultException(string worker, Exception inner) : base($"{worker}: {inner.Message}", inner) =>
        (Worker, IsLoss) = ((inner as PeerLostException)?.Peer ?? worker, inner is OrleansException or TimeoutException or IOException
            or StaleOrderException or PeerLostException or OperationCanceledException);

    public WorkerFaultException(string message) : base(message) { }

    public WorkerFaultException() { }

    /// <summary>Name of the worker, or of the peer that it has lost.</summary>
    [Id(0)]
    public string Worker { get; private set; } = "";

    /// <summary>The worker died, was cut off or came back without its state, rather than that its work failed.</summary>
    [Id(1)]
    public bool IsLoss { get; private set; }
}
