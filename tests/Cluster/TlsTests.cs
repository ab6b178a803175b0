using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;
using PixelCnnCluster.Files;

namespace PixelCnnCluster.Cluster.Tests;

/// <summary>Silos and consoles with certificates of one authority, and those who knock without.</summary>
public sealed class TlsTests : ClusterTests
{
    private static readonly string[] Two = ["worker-0", "worker-1"];

    private readonly string _folder, _silos;
    private readonly Authority _authority, _stranger;

    public TlsTests() : this(Directory.CreateTempSubdirectory("pixelcnn-tls-").FullName, new("cluster"), new("stranger"))
    {
    }

    private TlsTests(string folder, Authority authority, Authority stranger) : base(
        new()
        {
            Access = new(
            Certificates: ClusterCertificates.Open(
                authority.Write(Path.Combine(folder, "console"), "console", trusted: authority.Pem + "\n" + stranger.Pem)))
        }, isOwn: true)
    {
        (_folder, _authority, _stranger) = (folder, authority, stranger);
        _silos = authority.Write(Path.Combine(folder, "silos"), "first");
        Cluster.Environment["Silo__Tls"] = _silos;
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _authority.Dispose();
        _stranger.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Strangers_are_refused_and_told_of_and_nothing_is_disturbed()
    {
        await Cluster.HealAsync(Two);
        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Endless with
        {
            Compute = UndisturbedRun.Endless.Compute with { Workers = 2 },
        });
        await run.NextAsync<GenerationOpened>(opened => opened.Workers.Count == 2, "both workers, which find each other over TLS");
        (string Folder, string Reason)[] strangers =
        [
            ("", "it shows no certificate"),
            (_stranger.Write(Path.Combine(_folder, "stranger"), "intruder"),
                "the certificate of CN=intruder is not of the cluster's authority"),
            (_authority.Write(Path.Combine(_folder, "late"), "late", DateTimeOffset.UtcNow.AddHours(-1)),
                "the certificate of CN=late is good from "),
        ];
        foreach (int port in Cluster.Fleet.PortsOf("worker-0"))
        {
            Assert.True(await IsCutOffAsync(port), $"a connection in plain text to port {port} is cut off");
            foreach ((string shown, string reason) in strangers)
            {
                Assert.True(await IsCutOffAsync(port, shown), $"port {port}: {reason}");
                // Of each kind the first is told, and then how many there were in a minute.
                await UntilAsync(() => Lines(reason) > 0, $"the silo's word that {reason}");
            }
        }

        // A console that trusts only its own authority talks to no silo of another.
        var foreign = new ClusterAccess(Certificates: ClusterCertificates.Open(strangers[1].Folder));
        using (var soon = new CancellationTokenSource(TimeSpan.FromSeconds(5)))
            await Assert.ThrowsAnyAsync<Exception>(() => ClusterConnection.OpenAsync(new(Cluster.Redis.Address), foreign, soon.Token));

        await run.StepAsync(run.NewestStep + 20);
        Cluster.AssertNoFault(run);
        Assert.True(
            Cluster.WasStarved
                || run.Events.OfType<GenerationOpened>().Count(opened => opened.Workers.Count == 2) == 1,
                "one generation has both workers");
    }

    [Fact]
    public async Task Connections_that_say_nothing_disturb_neither_a_run_nor_the_cluster()
    {
        const int Flood = 2000;
        await Cluster.HealAsync(Two);
        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Endless with
        {
            Compute = UndisturbedRun.Endless.Compute with { Workers = 2 },
        });
        await run.NextAsync<GenerationOpened>(opened => opened.Workers.Count == 2, "both workers");
        IReadOnlyList<int> ports = Cluster.Fleet.PortsOf("worker-0");
        List<Socket> silent = [];
        try
        {
            for (int i = 0; i < Flood; i++)
            {
                Socket socket = new(SocketType.Stream, ProtocolType.Tcp);
                silent.Add(socket);
                await socket.ConnectAsync("127.0.0.1", ports[i % ports.Count], TestContext.Current.CancellationToken);
            }

            await run.StepAsync(run.NewestStep + 5);
            await using ClusterConnection console = await ClusterConnection.OpenAsync(
                new(Cluster.Redis.Address), Cluster.Access!, TestContext.Current.CancellationToken)
                .WithinAsync(Deadline.Generous, "another console");
            Assert.Equal(2, (await console.Grains.Cluster.WorkersAsync()).Count);
            await run.StepAsync(run.NewestStep + 5);
            Assert.InRange(silent.Count(IsOpen), 0, 64);
        }
        finally
        {
            silent.ForEach(socket => socket.Dispose());
        }

        Cluster.AssertNoFault(run);
        Assert.True(
            Cluster.WasStarved || run.Events.OfType<GenerationOpened>().Count(opened => opened.Workers.Count == 2) == 1,
            "one generation has both workers");
        Assert.InRange(Lines("refused"), 1, 6);

        static bool IsOpen(Socket socket) => !socket.Poll(0, SelectMode.SelectRead);
    }

    [Fact]
    public async Task Renewed_certificates_are_taken_without_a_restart()
    {
        await Cluster.HealAsync("worker-0");
        int port = Cluster.Fleet.PortsOf("worker-0")[1];
        Assert.Equal("CN=first", await SubjectAsync(port));

        // Half of a renewal, and then the whole of it, with another authority beside the first.
        File.WriteAllText(Path.Combine(_silos, "tls.key"), "not a key");
        await UntilAsync(
            async () => await SubjectAsync(port) == "CN=first"
                && Lines("The certificates are still those that were read before") > 0, "word that the old certificates stay");
        _stranger.Write(_silos, "second", trusted: _authority.Pem + "\n" + _stranger.Pem);
        await UntilAsync(async () => await SubjectAsync(port) == "CN=second", "the new certificate");
        await using ClusterConnection newcomer = await ClusterConnection.OpenAsync(
            new(Cluster.Redis.Address),
            new(Certificates: ClusterCertificates.Open(_stranger.Write(Path.Combine(_folder, "newcomer"), "newcomer"))),
            TestContext.Current.CancellationToken)
            .WithinAsync(Deadline.Generous, "a console of the new authority");
        Assert.Single(await newcomer.Grains.Cluster.WorkersAsync());
        Assert.Single(await Cluster.Fleet.Grains.Cluster.WorkersAsync());
    }

    private int Lines(string text) =>
        File.ReadLines(Cluster.Fleet.Silo("worker-0").LogPath).Count(line => line.Contains(text, StringComparison.Ordinal));

    /// <summary>Whether the silo ends a connection without having said anything but its part of a handshake.</summary>
    /// <param name="certificates">Folder of who connects: null for plain text, empty for TLS without a certificate.</param>
    private static async Task<bool> IsCutOffAsync(int port, string? certificates = null)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port);
        Stream stream = client.GetStream();
        try
        {
            if (certificates is not null)
                stream = await HandshakeAsync(stream, certificates);
            await stream.WriteAsync(new byte[64]);
            return await stream.ReadAsync(new byte[64]).AsTask().WithinAsync(
                Deadline.Generous, $"the end of a stranger's connection to port {port}") == 0;
        }
        catch (Exception fault) when (fault is IOException or AuthenticationException)
        {
            return true;
        }
    }

    private static async Task<string> SubjectAsync(int port)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port);
        await using SslStream tls = await HandshakeAsync(client.GetStream(), certificates: "");
        return tls.RemoteCertificate!.Subject;
    }

    private static async Task<SslStream> HandshakeAsync(Stream stream, string certificates)
    {
        var tls = new SslStream(stream);
        var options = new SslClientAuthenticationOptions
        {
            TargetHost = "silo",
            RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null
        };
        if (certificates.Length > 0)
            options.ClientCertificates = [X509Certificate2.CreateFromPemFile(
                Path.Combine(certificates, "tls.crt"), Path.Combine(certificates, "tls.key"))];
        await tls.AuthenticateAsClientAsync(options);
        return tls;
    }

    private static Task UntilAsync(Func<bool> holds, string awaited) => UntilAsync(() => Task.FromResult(holds()), awaited);

    private static Task UntilAsync(Func<Task<bool>> holds, string awaited) => Deadline.UntilAsync(holds, awaited);
}
