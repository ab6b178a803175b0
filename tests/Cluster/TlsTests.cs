using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Tests;

/// <summary>Silos and consoles with certificates of one authority, and those who knock without.</summary>
public sealed class TlsTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30), Poll = TimeSpan.FromMilliseconds(50);

    private static readonly string[] Two = ["worker-0", "worker-1"];

    private readonly string folder = Directory.CreateTempSubdirectory("pixelcnn-tls-").FullName;
    private readonly Authority authority = new("cluster"), stranger = new("stranger");

    public void Dispose()
    {
        authority.Dispose();
        stranger.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Strangers_are_refused_and_told_of_and_nothing_is_disturbed()
    {
        string silos = authority.Write(Path.Combine(folder, "silos"), "silo");
        var access = new ClusterAccess(Certificates: ClusterCertificates.Open(authority.Write(Path.Combine(folder, "console"), "console")));
        await using FaultyCluster cluster = await FaultyCluster.StartAsync(new Dictionary<string, string> { ["Silo__Tls"] = silos }, access, Two);
        FollowedRun run = await cluster.SubmitAsync("run", UndisturbedRun.Spec with { MaxSteps = 100_000, MaxEpochs = 100_000, Workers = 2 });
        await run.NextAsync<GenerationOpened>(opened => opened.Workers.Count == 2, "both workers, which find each other over TLS");
        (string Folder, string Reason)[] strangers =
        [
            ("", "Authentication failed"),
            (stranger.Write(Path.Combine(folder, "stranger"), "intruder"), "the certificate of CN=intruder is not of the cluster's authority"),
            (authority.Write(Path.Combine(folder, "late"), "late", DateTimeOffset.UtcNow.AddHours(-1)), "the certificate of CN=late is good from "),
        ];
        foreach (int port in cluster.Fleet.PortsOf("worker-0"))
        {
            Assert.True(await IsCutOffAsync(port), $"a connection in plain text to port {port} is cut off");
            foreach ((string shown, string reason) in strangers)
            {
                int told = Lines(cluster, reason);
                Assert.True(await IsCutOffAsync(port, shown), $"port {port}: {reason}");
                await UntilAsync(() => Lines(cluster, reason) > told, $"the silo's word that {reason}");
            }
        }

        // A console that trusts only its own authority talks to no silo of another.
        var foreign = new ClusterAccess(Certificates: ClusterCertificates.Open(strangers[1].Folder));
        using (var soon = new CancellationTokenSource(TimeSpan.FromSeconds(5)))
            await Assert.ThrowsAnyAsync<Exception>(() => ClusterConnection.OpenAsync(new(cluster.Redis.Address), foreign, soon.Token));

        long step = run.Events.OfType<StepCommitted>().LastOrDefault()?.Step ?? 0;
        await run.StepAsync(step + 20);
        Assert.DoesNotContain(run.Events, e => e is FaultNoticed);
        Assert.Single(run.Events.OfType<GenerationOpened>(), opened => opened.Workers.Count == 2);
    }

    [Fact]
    public async Task Renewed_certificates_are_taken_without_a_restart()
    {
        string silos = authority.Write(Path.Combine(folder, "silos"), "first");
        var access = new ClusterAccess(Certificates: ClusterCertificates.Open(authority.Write(Path.Combine(folder, "console"), "console", trusted: authority.Pem + "\n" + stranger.Pem)));
        await using FaultyCluster cluster = await FaultyCluster.StartAsync(new Dictionary<string, string> { ["Silo__Tls"] = silos }, access, "worker-0");
        int port = cluster.Fleet.PortsOf("worker-0")[1];
        Assert.Equal("CN=first", await SubjectAsync(port));

        // Half of a renewal, and then the whole of it, with another authority beside the first.
        File.WriteAllText(Path.Combine(silos, "tls.key"), "not a key");
        await UntilAsync(async () => await SubjectAsync(port) == "CN=first" && Lines(cluster, "The certificates are still those that were read before") > 0, "word that the old certificates stay");
        stranger.Write(silos, "second", trusted: authority.Pem + "\n" + stranger.Pem);
        await UntilAsync(async () => await SubjectAsync(port) == "CN=second", "the new certificate");
        await using ClusterConnection newcomer = await ClusterConnection.OpenAsync(
            new(cluster.Redis.Address), new(Certificates: ClusterCertificates.Open(stranger.Write(Path.Combine(folder, "newcomer"), "newcomer"))), TestContext.Current.CancellationToken)
            .WithinAsync(Patience, "a console of the new authority");
        Assert.Single(await newcomer.Grains.Cluster.WorkersAsync());
        Assert.Single(await cluster.Fleet.Grains.Cluster.WorkersAsync());
    }

    private static int Lines(FaultyCluster cluster, string text) => File.ReadLines(cluster.Fleet.Silo("worker-0").LogPath).Count(line => line.Contains(text, StringComparison.Ordinal));

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
            return await stream.ReadAsync(new byte[64]).AsTask().WithinAsync(Patience, $"the end of a stranger's connection to port {port}") == 0;
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
        var options = new SslClientAuthenticationOptions { TargetHost = "silo", RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null };
        if (certificates.Length > 0)
            options.ClientCertificates = [X509Certificate2.CreateFromPemFile(Path.Combine(certificates, "tls.crt"), Path.Combine(certificates, "tls.key"))];
        await tls.AuthenticateAsClientAsync(options);
        return tls;
    }

    private static Task UntilAsync(Func<bool> holds, string awaited) => UntilAsync(() => Task.FromResult(holds()), awaited);

    private static Task UntilAsync(Func<Task<bool>> holds, string awaited) => Deadline.UntilAsync(holds, Patience, awaited);
}
