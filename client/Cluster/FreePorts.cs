using System.Net;
using System.Net.Sockets;

namespace PixelCnnCluster.Client.Cluster;

/// <summary>Ports of the loopback address that nobody listens on.</summary>
public static class FreePorts
{
    /// <summary>Different ports; all are held until the last is found, so that none comes up twice.</summary>
    public static int[] Find(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToArray();
        try
        {
            return [.. listeners.Select(listener =>
            {
                listener.Start();
                return ((IPEndPoint)listener.LocalEndpoint).Port;
            })];
        }
        finally
        {
            foreach (var listener in listeners)
                listener.Dispose();
        }
    }
}
