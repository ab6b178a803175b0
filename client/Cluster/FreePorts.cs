using System.Net;
using System.Net.Sockets;

namespace PixelCnnCluster.Client.Cluster;

/// <summary>
/// Ports of the loopback address that nobody listens on. They lie below those that Linux gives to connections, and to listeners that ask for any: none of these can take one
/// before it is used.
/// </summary>
public static class FreePorts
{
    private const int First = 16384, End = 32768;

    /// <summary>Different ports; all are held until the last is found, so that none comes up twice.</summary>
    public static int[] Find(int count)
    {
        var listeners = new List<TcpListener>();
        try
        {
            while (listeners.Count < count)
            {
                if (TryListen(Random.Shared.Next(First, End)) is { } listener)
                    listeners.Add(listener);
            }

            return [.. listeners.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port)];
        }
        finally
        {
            foreach (var listener in listeners)
                listener.Dispose();
        }
    }

    private static TcpListener? TryListen(int port)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return listener;
        }
        catch (SocketException taken) when (taken.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            listener.Dispose();
            return null;
        }
    }
}
