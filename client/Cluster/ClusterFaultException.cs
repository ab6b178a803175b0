namespace PixelCnnCluster.Client.Cluster;

/// <summary>The cluster could not be started or was lost; the message says which part and shows the end of its log.</summary>
public sealed class ClusterFaultException : Exception
{
    public ClusterFaultException(string message) : base(message) { }

    public ClusterFaultException(string message, Exception inner) : base(message, inner) { }

    public ClusterFaultException() { }
}
