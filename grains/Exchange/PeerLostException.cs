namespace PixelCnnCluster.Exchange;

/// <summary>A step cannot be finished: a peer's connection broke, and nobody listens any more where the peer did.</summary>
[GenerateSerializer]
public sealed class PeerLostException : Exception
{
    public PeerLostException(string peer) : base($"nobody listens any more where {peer} did") => Peer = peer;

    public PeerLostException(string message, Exception inner) : base(message, inner) { }

    public PeerLostException() { }

    /// <summary>Name of the worker that is gone.</summary>
    [Id(0)]
    public string Peer { get; private set; } = "";
}
