namespace PixelCnnCluster.Actors;

/// <summary>What the silo must provide from the cluster's store.</summary>
public static class StoreNames
{
    /// <summary>Grain storage of run records.</summary>
    public const string Storage = "runs";

    /// <summary>
    /// Grain directory. In the store, it outlives silos: one in their memory would lose activations along with a silo that held their
    /// entry.
    /// </summary>
    public const string Directory = "redis";
}
