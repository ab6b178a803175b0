using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging;
using PixelCnnCluster.Faults;
using PixelCnnCluster.Files;

namespace PixelCnnCluster.Cluster.Tests;

/// <summary>Two ends of a connection with certificates, without silos.</summary>
public sealed class CertificateTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("pixelcnn-certificates-").FullName;
    private readonly Authority _authority = new("cluster"), _stranger = new("stranger");
    private readonly TcpListener _shop = new(IPAddress.Loopback, 0);

    public CertificateTests() => _shop.Start();

    public void Dispose()
    {
        _shop.Dispose();
        _authority.Dispose();
        _stranger.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private Uri IssuersAddress => new($"http://{_shop.LocalEndpoint}/issuer");

    [Fact]
    public async Task Members_know_each_other() =>
        Assert.Equal(("CN=one", "CN=two"), await MeetAsync(Open(_authority, "one"), Open(_authority, "two")));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_stranger_is_refused_and_nothing_that_its_certificate_names_is_fetched(bool connects)
    {
        ClusterCertificates member = Open(_authority, "member");
        // It trusts whom it meets, so that the refusal is the member's.
        var intruder = ClusterCertificates.Open(
            _stranger.Write(
                Path.Combine(_folder, "intruder"), "intruder", trusted: _authority.Pem + "\n"
                    + _stranger.Pem, issuersAddress: IssuersAddress));
        await Assert.ThrowsAnyAsync<AuthenticationException>(() => connects ? MeetAsync(member, intruder) : MeetAsync(intruder, member));
        Assert.False(_shop.Pending(), "the certificate's issuer was asked for");
    }

    /// <summary>Whoever can reach a port chooses what its certificate is called.</summary>
    [Fact]
    public async Task The_name_of_a_stranger_commands_no_terminal()
    {
        ClusterCertificates member = Open(_authority, "member");
        string refused = "";
        member.Refused = (_, _, reason) => refused = reason;
        using var named = new Authority("x\u001b[2J\u202e");
        string folder = named.Write(Path.Combine(_folder, "named"), "y\u001b[2J\u202e", trusted: _authority.Pem + "\n" + named.Pem);

        await Assert.ThrowsAnyAsync<AuthenticationException>(() => MeetAsync(member, ClusterCertificates.Open(folder)));

        Assert.Contains("y?[2J?", refused, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', refused);
        Assert.DoesNotContain('\u202e', refused);
    }

    [Fact]
    public async Task A_renewal_that_nobody_would_take_is_told_and_not_taken()
    {
        ClusterCertificates renewed = Open(_authority, "first"), other = Open(_authority, "other");
        var log = new LastLine();
        renewed.Log = log;
        string place = Path.Combine(_folder, "first");
        _authority.Write(place, "late", DateTimeOffset.UtcNow.AddHours(-1));
        await UntilAsync(
            () => Task.FromResult(log.Line.Contains("still those that were read before", StringComparison.Ordinal)), "word of the renewal");
        Assert.Contains("the certificate of CN=late is good from ", log.Line, StringComparison.Ordinal);
        Assert.Equal("CN=first", (await MeetAsync(renewed, other)).Server);

        _authority.Write(place, "second");
        await UntilAsync(async () => (await MeetAsync(renewed, other)).Server == "CN=second", "the next renewal");

        Task UntilAsync(Func<Task<bool>> holds, string awaited) => Deadline.UntilAsync(
            async () =>
            {
                if (await holds())
                    return true;
                _ = renewed.ServerOptions(peer: null);
                return false;
            },
            awaited);
    }

    /// <summary>As an operator does who shuts somebody out in a hurry.</summary>
    [Fact]
    public async Task An_authority_that_is_replaced_alone_counts_at_once_and_ends_standing_connections()
    {
        var clock = new HandClock();
        var member = ClusterCertificates.Open(_authority.Write(Path.Combine(_folder, "member"), "member"), clock);
        ClusterCertificates former = Open(_authority, "former");
        var newcomer = ClusterCertificates.Open(
            _stranger.Write(Path.Combine(_folder, "newcomer"), "newcomer", trusted: _authority.Pem + "\n" + _stranger.Pem));
        List<string> ended = [], refused = [];
        member.Refused = (_, _, reason) => refused.Add(reason);
        using IDisposable standing = member.Watch(Shown("former"), () => ended.Add("former")),
            staying = member.Watch(Shown("newcomer"), () => ended.Add("newcomer")),
            over = member.Watch(Shown("former"), () => ended.Add("over"));
        over.Dispose();

        File.WriteAllText(Path.Combine(_folder, "member", "ca.crt"), _stranger.Pem);
        clock.Advance(TimeSpan.FromMinutes(1));

        Assert.Equal(["former"], ended);
        Assert.Equal(
            ["the certificate of CN=former is not of the cluster's authority; its connection is ended"], refused);
        await Assert.ThrowsAnyAsync<AuthenticationException>(() => MeetAsync(member, former));
        Assert.Equal(("CN=member", "CN=newcomer"), await MeetAsync(member, newcomer));

        X509Certificate2 Shown(string name) => X509CertificateLoader.LoadCertificateFromFile(Path.Combine(_folder, name, "tls.crt"));
    }

    [Fact]
    public async Task A_members_certificate_cannot_sign_anothers()
    {
        string issuer = _authority.Write(Path.Combine(_folder, "issuer"), "issuer");
        using var signer = X509Certificate2.CreateFromPemFile(Path.Combine(issuer, "tls.crt"), Path.Combine(issuer, "tls.key"));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 certificate = new CertificateRequest("CN=forged", key, HashAlgorithmName.SHA256).Create(
            signer.SubjectName, X509SignatureGenerator.CreateForECDsa(signer.GetECDsaPrivateKey()!), signer.NotBefore, signer.NotAfter,
            [1]);
        using X509Certificate2 forged = certificate.CopyWithPrivateKey(key);
        ClusterCertificates member = Open(_authority, "member");
        string? refused = null;
        member.Refused = (_, _, reason) => refused = reason;

        await Assert.ThrowsAnyAsync<AuthenticationException>(() => MeetAsync(member, new SslClientAuthenticationOptions
        {
            TargetHost = "silo",
            ClientCertificateContext = SslStreamCertificateContext.Create(forged, [signer], offline: true),
            RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null,
        }));

        Assert.StartsWith("the certificate of CN=forged", refused, StringComparison.Ordinal);
    }

    private ClusterCertificates Open(Authority by, string name) => ClusterCertificates.Open(by.Write(Path.Combine(_folder, name), name));

    /// <summary>What each end sees of the other.</summary>
    private static Task<(string Server, string Client)> MeetAsync(ClusterCertificates server, ClusterCertificates client) =>
        MeetAsync(server, client.ClientOptions(peer: null));

    /// <inheritdoc cref="MeetAsync(ClusterCertificates, ClusterCertificates)"/>
    private static async Task<(string Server, string Client)> MeetAsync(ClusterCertificates server, SslClientAuthenticationOptions client)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var caller = new TcpClient();
        await caller.ConnectAsync((IPEndPoint)listener.LocalEndpoint);
        using TcpClient called = await listener.AcceptTcpClientAsync();
        await using SslStream one = new(called.GetStream()), two = new(caller.GetStream());
        Task serving = EndingAsync(called, one.AuthenticateAsServerAsync(server.ServerOptions(called.Client.RemoteEndPoint)));
        Task calling = EndingAsync(caller, two.AuthenticateAsClientAsync(client));
        await Task.WhenAll(serving, calling).WithinAsync(Deadline.Generous, "the end of the handshake");
        return (two.RemoteCertificate!.Subject, one.RemoteCertificate!.Subject);

        // Who refuses goes away, so that the other does not wait.
        static async Task EndingAsync(TcpClient end, Task handshake)
        {
            try
            {
                await handshake;
            }
            catch
            {
                end.Close();
                throw;
            }
        }
    }

    private sealed class LastLine : ILogger
    {
        public string Line { get; private set; } = "";

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                Line = formatter(state, exception);
    }
}
