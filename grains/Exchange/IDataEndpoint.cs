namespace PixelCnnCluster.Exchange;

/// <summary>Where this silo listens for chunks of gradients.</summary>
public interface IDataEndpoint
{
    /// <summary>address:port; null while the silo starts.</summary>
    string? Address { get; }
}
