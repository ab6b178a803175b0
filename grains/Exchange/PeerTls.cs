using System.Net;
using System.Net.Security;

namespace PixelCnnCluster.Exchange;

/// <summary>How connections between workers are secured: mutual TLS, with new options for each connection.</summary>
/// <param name="Server">For a peer that has connected.</param>
/// <param name="Client">For a peer that is connected to.</param>
public sealed record PeerTls(
    Func<EndPoint?, SslServerAuthenticationOptions> Server, Func<EndPoint?, SslClientAuthenticationOptions> Client);
