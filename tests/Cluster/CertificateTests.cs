using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
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
        var log = new LastLine();
        member.Log = log;
        using var named = new Authority("x\u001b[2J\u202e");
        string folder = named.Write(Path.Combine(_folder, "named"), "y\u001b[2J\u202e", trusted: _authority.Pem + "\n" + named.Pem);

        await Assert.ThrowsAnyAsync<AuthenticationException>(() => MeetAsync(member, ClusterCertificates.Open(folder)));

        Assert.Contains("y?[2J?", log.Line, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', log.Line);
        Assert.DoesNotContain('\u202e', log.Line);
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

    private ClusterCertificates Open(Authority by, string name) => ClusterCertificates.Open(by.Write(Path.Combine(_folder, name), name));

    /// <summary>What each end sees of the other.</summary>
    private static async Task<(string Server, string Client)> MeetAsync(ClusterCertificates server, ClusterCertificates client)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var caller = new TcpClient();
        await caller.ConnectAsync((IPEndPoint)listener.LocalEndpoint);
        using TcpClient called = await listener.AcceptTcpClientAsync();
        await using SslStream one = new(called.GetStream()), two = new(caller.GetStream());
        Task serving = EndingAsync(called, one.AuthenticateAsServerAsync(server.ServerOptions(called.Client.RemoteEndPoint)));
        Task calling = EndingAsync(caller, two.AuthenticateAsClientAsync(client.ClientOptions(caller.Client.RemoteEndPoint)));
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
