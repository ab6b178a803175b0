using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace PixelCnnCluster.Exchange;

/// <summary>How connections between workers are secured: mutual TLS, with new options for each connection.</summary>
/// <param name="Server">For a peer that has connected.</param>
/// <param name="Client">For a peer that is connected to.</param>
/// <param name="Watch">Ends a standing connection when the certificate of its peer is good no more; until what it returns is disposed
/// of.</param>
public sealed record PeerTls(
    Func<EndPoint?, SslServerAuthenticationOptions> Server, Func<EndPoint?, SslClientAuthenticationOptions> Client,
    Func<X509Certificate, Action, IDisposable> Watch);
