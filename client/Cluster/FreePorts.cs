using System.Net;
using System.Net.Sockets;

namespace PixelCnnCluster.Client.Cluster;

/// <summary>
/// Ports of the loopback address that nobody listens on. They lie below those that Linux gives to connections, and to listeners that ask
/// for any: none of these can take one before it is used.
/// </summary>
public static class FreePorts
{
    private const int First = 16384, Count = 16384;

    private static uint _next = (uint)Random.Shared.Next(Count);

    /// <summary>Ports that no earlier call gave: who asked for those may not listen yet.</summary>
    public static int[] Find(int count) => [.. Candidates().Where(IsFree).Take(count)];

    private static IEnumerable<int> Candidates()
    {
        while (true)
            yield return First + (int)(Interlocked.Increment(ref _next) % Count);
    }

    private static bool IsFree(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException taken) when (taken.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            return false;
        }
    }
}
