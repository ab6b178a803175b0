namespace PixelCnnCluster.Contracts;

/// <summary>What silos and consoles must agree on to meet.</summary>
public static class ClusterNames
{
    /// <summary>Orleans' service id of every cluster of this program.</summary>
    public const string ServiceId = "pixelcnn-cluster";
}
