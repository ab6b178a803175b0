using System.Net;
using Garnet;
using Garnet.server;
using Garnet.server.Auth.Settings;

namespace PixelCnnCluster.Client.Cluster;

/// <summary>
/// A store that speaks the Redis protocol, in this process and in memory only: where a local cluster's silos find each other.
/// </summary>
public sealed class EmbeddedStore : IDisposable
{
    private readonly GarnetServer _server;

    /// <param name="password">That who connects has to give; null for none.</param>
    public EmbeddedStore(string? password = null)
    {
        int port = FreePorts.Find(1)[0];
        Address = $"127.0.0.1:{port}";
        _server = new GarnetServer(new GarnetServerOptions
        {
            EndPoints = [new IPEndPoint(IPAddress.Loopback, port)],
            // Orleans' providers run scripts; without Lua a silo's start hangs silently.
            EnableLua = true,
            LuaOptions = new LuaOptions(),
            AuthSettings = password is null ? null : new PasswordAuthenticationSettings(password),
            QuietMode = true,
            LogMemorySize = "64m",
            PageSize = "1m",
            IndexMemorySize = "1m",
        });
        _server.Start();
    }

    /// <summary>Host and port, as a Redis client takes them.</summary>
    public string Address { get; }

    public void Dispose() => _server.Dispose();
}
