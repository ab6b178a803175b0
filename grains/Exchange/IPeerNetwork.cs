using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Exchange;

/// <summary>Direct connections from this worker to others, for chunks of gradients.</summary>
public interface IPeerNetwork
{
    /// <summary>Connects and greets.</summary>
    /// <exception cref="Exception">The worker cannot be reached now.</exception>
    Task<IPeerConnection> ConnectAsync(string worker, PeerGreeting greeting, CancellationToken cancel);

    /// <summary>
    /// Whether nobody listens any more where a worker was reached last, as after its process has ended. False if it cannot be told: a
    /// worker that is busy listens, and one that is cut off does not answer.
    /// </summary>
    Task<bool> IsGoneAsync(string worker, CancellationToken cancel);
}

/// <summary>A connection to one worker, which takes chunks and says nothing.</summary>
public interface IPeerConnection : IAsyncDisposable
{
    /// <summary>Cancelled when the other side has hung up or is not reached any more.</summary>
    CancellationToken Lost { get; }

    /// <summary>Completes when the connection has taken the chunk on, which is not before the other side has room for it.</summary>
    /// <returns>Bytes that were sent.</returns>
    Task<int> SendAsync(Chunk chunk, WireFormat wire, CancellationToken cancel);
}
