using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.Connections.Security;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Files;

/// <summary>
/// Mutual TLS among silos and consoles: whoever shows a certificate of the cluster's own authority is a member, whatever its name. The
/// folder is one of PEM files as Kubernetes mounts a TLS secret: <c>tls.crt</c> (and what stands between it and the authority),
/// <c>tls.key</c>, <c>ca.crt</c>. It is read again for new connections, so certificates may be renewed at any time.
/// </summary>
public sealed partial class ClusterCertificates
{
    /// <summary>
    /// A folder that is being renewed is whole again after this long, and strangers who knock do not have it read each time.
    /// </summary>
    private static readonly TimeSpan Freshness = TimeSpan.FromSeconds(1);

    /// <summary>How often standing connections are looked at again.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(20);

    private readonly string _folder;
    private readonly TimeProvider _time;

    /// <summary>Protects the two below: one connection reads the files anew, the others take what it read.</summary>
    private readonly Lock _reading = new();

    private Material _current;
    private long _readAt;

    /// <summary>What stood between a peer's certificate and the authority when it was judged.</summary>
    private readonly ConditionalWeakTable<X509Certificate, X509Certificate2Collection> _sentWith = [];

    private readonly ConcurrentDictionary<Standing, X509Certificate2> _standing = [];

    private ClusterCertificates(string folder, Material current, TimeProvider time)
    {
        _folder = folder;
        _current = current;
        _time = time;
        _readAt = time.GetTimestamp();
        _ = LookAgainAsync(new(this));
    }

    /// <summary>Hears what cannot be taken from the folder.</summary>
    public ILogger Log { get; set; } = NullLogger.Instance;

    /// <summary>Hears who is refused: the kind of the refusal, the peer, and the reason.</summary>
    public Action<string, EndPoint?, string> Refused { get; set; } = (_, _, _) => { };

    /// <exception cref="UserErrorException">The folder lacks a file, the files do not belong together, or the certificate is not valid
    /// now.</exception>
    public static ClusterCertificates Open(string folder, TimeProvider? time = null)
    {
        var material = Material.Read(folder);
        return material.Refusal() is { } refusal
            ? throw new UserErrorException(
                $"{Path.Combine(folder, "tls.crt")} cannot be used: {refusal.Reason}; renew it, or see that the clock is right.")
            : new(folder, material, time ?? TimeProvider.System);
    }

    /// <summary>
    /// Ends a standing connection, within a minute, when its peer's certificate is good no more: it has expired, or its authority is not
    /// the cluster's any more.
    /// </summary>
    /// <returns>To be disposed of when the connection has ended.</returns>
    public IDisposable Watch(X509Certificate shown, Action end)
    {
        var standing = new Standing(this, end);
        _standing[standing] = (X509Certificate2)shown;
        return standing;
    }

    /// <summary>For one connection that is accepted, with the certificates of now.</summary>
    /// <param name="peer">For the log.</param>
    public SslServerAuthenticationOptions ServerOptions(EndPoint? peer) => Set(new SslServerAuthenticationOptions(), peer);

    /// <summary>For one connection that is opened, with the certificates of now.</summary>
    /// <param name="peer">For the log.</param>
    public SslClientAuthenticationOptions ClientOptions(EndPoint? peer) => Set(new SslClientAuthenticationOptions(), peer);

    /// <summary>For <c>UseTls</c> of a silo or of a client.</summary>
    public void Secure(TlsOptions options)
    {
        options.LocalCertificate = _current.Leaf;
        // Orleans would ask for a certificate, and judge it, in its own way, which is not told what may be fetched for it; what is set
        // below does both.
        options.RemoteCertificateMode = options.ClientCertificateMode = RemoteCertificateMode.NoCertificate;
        options.OnAuthenticateAsServer = (connection, tls) => Set(
            (SslServerAuthenticationOptions)tls.SslServerAuthenticationOptions, connection.RemoteEndPoint);
        options.OnAuthenticateAsClient = (connection, tls) => Set(
            (SslClientAuthenticationOptions)tls.SslClientAuthenticationOptions, connection.RemoteEndPoint);
    }

    private SslServerAuthenticationOptions Set(SslServerAuthenticationOptions server, EndPoint? peer)
    {
        Material material = Fresh();
        (server.ServerCertificateSelectionCallback, server.ServerCertificate, server.ServerCertificateContext) = (null, null,
            material.Context);
        server.ClientCertificateRequired = true;
        server.CertificateChainPolicy = material.Policy([]);
        server.RemoteCertificateValidationCallback = (_, shown, chain, _) => IsMember(shown, chain, peer);
        return server;
    }

    private SslClientAuthenticationOptions Set(SslClientAuthenticationOptions client, EndPoint? peer)
    {
        Material material = Fresh();
        client.TargetHost = ClusterNames.ServiceId;
        (client.LocalCertificateSelectionCallback, client.ClientCertificates, client.ClientCertificateContext) = (null, null,
            material.Context);
        client.CertificateChainPolicy = material.Policy([]);
        client.RemoteCertificateValidationCallback = (_, shown, chain, _) => IsMember(shown, chain, peer);
        return client;
    }

    private bool IsMember(X509Certificate? shown, X509Chain? sent, EndPoint? peer)
    {
        // The chain's own are disposed of when it is judged.
        X509Certificate2Collection between =
            [.. sent?.ChainElements.Skip(1).Select(element => X509CertificateLoader.LoadCertificate(element.Certificate.RawData)) ?? []];
        Refusal? refusal = shown is X509Certificate2 certificate ? Fresh().Refusal(certificate, between)
            : new("none", "it shows no certificate");
        if (refusal is not null)
            Refused(refusal.Kind, peer, refusal.Reason);
        else
            _sentWith.AddOrUpdate(shown!, between);
        return refusal is null;
    }

    /// <summary>As long as somebody has the certificates.</summary>
    private static async Task LookAgainAsync(WeakReference<ClusterCertificates> certificates)
    {
        while (certificates.TryGetTarget(out ClusterCertificates? them))
        {
            try
            {
                them.EndExcluded();
            }
            catch (Exception fault)
            {
                // The next look may succeed.
                LogNotLooked(them.Log, fault);
            }

            TimeProvider time = them._time;
            them = null;
            await Task.Delay(Interval, time).ConfigureAwait(false);
        }
    }

    private void EndExcluded()
    {
        if (_standing.IsEmpty)
            return;
        Material material = Fresh();
        foreach ((Standing standing, X509Certificate2 shown) in _standing)
        {
            if (material.Refusal(shown, _sentWith.TryGetValue(shown, out X509Certificate2Collection? sent) ? sent : []) is not { } refusal)
                continue;
            Refused(refusal.Kind, null, $"{refusal.Reason}; its connection is ended");
            standing.End();
        }
    }

    /// <summary>
    /// As the folder is now; as it was, if it cannot be read now. An authority counts at once; a certificate of this one's own that others
    /// would refuse is not taken while the one before is good.
    /// </summary>
    private Material Fresh()
    {
        lock (_reading)
        {
            if (_time.GetElapsedTime(_readAt) < Freshness)
                return _current;
            _readAt = _time.GetTimestamp();
            try
            {
                var renewed = Material.Read(_folder);
                Material kept = _current with { Authority = renewed.Authority };
                if (renewed.Refusal() is { } refusal && (kept.Refusal() is null || renewed.Leaf.Equals(kept.Leaf)))
                {
                    if (kept.Refusal() is null)
                        LogNotRenewed(Log, $"{_folder}: {refusal.Reason}");
                    else if (_current.Refusal() is null)
                        LogLeftOut(Log, _folder, refusal.Reason);
                    _current = kept;
                }
                else
                {
                    _current = renewed;
                }
            }
            catch (UserErrorException mistake)
            {
                LogNotRenewed(Log, mistake.Message);
            }

            return _current;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Standing connections could not be judged; trying again")]
    private static partial void LogNotLooked(ILogger log, Exception fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The certificates are still those that were read before: {Mistake}")]
    private static partial void LogNotRenewed(ILogger log, string mistake);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Folder}/ca.crt counts from now on, and others that have it refuse this one: {Reason}; renew tls.crt and tls.key too")]
    private static partial void LogLeftOut(ILogger log, string folder, string reason);

    private sealed record Material(
        X509Certificate2 Leaf, X509Certificate2Collection Between, X509Certificate2Collection Authority,
        SslStreamCertificateContext Context)
    {
        public static Material Read(string folder)
        {
            string certificate = Path.Combine(folder, "tls.crt"), key = Path.Combine(folder, "tls.key"),
                authority = Path.Combine(folder, "ca.crt");
            string reading = certificate;
            try
            {
                X509Certificate2Collection between = [], trusted = [];
                between.ImportFromPemFile(certificate);
                var leaf = X509Certificate2.CreateFromPemFile(certificate, reading = key);
                trusted.ImportFromPemFile(reading = authority);
                between.RemoveAt(0);
                return trusted.Count > 0 ? new(leaf, between, trusted, SslStreamCertificateContext.Create(leaf, between, offline: true))
                    : throw new CryptographicException("it holds no certificate");
            }
            catch (Exception fault)
                when (fault is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
            {
                throw new UserErrorException(
                    $"{reading} cannot be used ({fault.Message.TrimEnd('.')}); tls.crt, tls.key and ca.crt are to be there as PEM, the " +
                    $"key that of the certificate.", fault);
            }
        }

        /// <summary>How a certificate is traced to the cluster's authority, by SslStream and here.</summary>
        /// <param name="sent">What may stand between.</param>
        public X509ChainPolicy Policy(X509Certificate2Collection sent)
        {
            var policy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
                // A stranger's certificate must not have this process fetch what it names.
                DisableCertificateDownloads = true,
            };
            policy.CustomTrustStore.AddRange(Authority);
            policy.ExtraStore.AddRange(sent);
            return policy;
        }

        /// <summary>Why the others would refuse this one's own certificate; null if they would not.</summary>
        public Refusal? Refusal() => Refusal(Leaf, Between);

        /// <summary>Why the certificate is not one of a member; null if it is.</summary>
        public Refusal? Refusal(X509Certificate2 certificate, X509Certificate2Collection sent)
        {
            using var chain = new X509Chain { ChainPolicy = Policy(sent) };
            if (chain.Build(certificate))
                return null;
            string what = $"the certificate of {Printable.Of(certificate.Subject)}";
            X509ChainStatusFlags status = chain.ChainStatus[0].Status;
            return new($"{status}", status switch
            {
                X509ChainStatusFlags.NotTimeValid => $"{what} is good from {certificate.NotBefore.ToUniversalTime():u} to " +
                    $"{certificate.NotAfter.ToUniversalTime():u}, and it is {DateTime.UtcNow:u}",
                X509ChainStatusFlags.PartialChain or X509ChainStatusFlags.UntrustedRoot => $"{what} is not of the cluster's authority",
                _ => $"{what}: {chain.ChainStatus[0].StatusInformation}",
            });
        }
    }
    /// <param name="Kind">One of a few.</param>
    /// <param name="Reason">For people.</param>
    private sealed record Refusal(string Kind, string Reason);

    /// <summary>A connection of a member.</summary>
    private sealed class Standing(ClusterCertificates certificates, Action end) : IDisposable
    {
        public void End() => end();

        public void Dispose() => certificates._standing.TryRemove(this, out _);
    }
}
