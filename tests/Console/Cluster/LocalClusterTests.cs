using System.Net.Sockets;
using System.Runtime.Versioning;
using StackExchange.Redis;

namespace PixelCnnCluster.Console.Tests.Cluster;

/// <summary>What other users of the machine find of a run that somebody trains on it.</summary>
[Trait("Needs", "processes"), SupportedOSPlatform("linux")]
public sealed class LocalClusterTests : IDisposable
{
    private const UnixFileMode OfOthers = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Without_its_certificate_and_password_nobody_connects_and_its_files_are_its_users()
    {
        string run = _folder.File("run");
        using var console = new ConsoleProcess(
            ["train", "--json", "--max-steps", "100000", "--save-every", "5steps", "--save-dir", run,
                .. SmallImages.Flags(_folder.File("data")), .. Models.TrainedRun.Smallest]);
        await console.EventAsync("checkpoint");
        string[] flags = File.ReadAllText($"/proc/{console.Children().Single().Id}/cmdline").Split('\0');

        foreach (string port in new[] { "Port", "GatewayPort" })
            Assert.True(await IsCutOffAsync(int.Parse(Flag(port))), $"{port} talks to whoever connects");
        var options = ConfigurationOptions.Parse(Flag("Redis"));
        (options.ConnectRetry, options.ConnectTimeout) = (0, 2000);
        await Assert.ThrowsAnyAsync<RedisException>(async () =>
        {
            await using ConnectionMultiplexer store = await ConnectionMultiplexer.ConnectAsync(options);
            await store.GetDatabase().StringGetAsync("key");
        });
        using var other = new ConsoleProcess("runs", "--cluster", Flag("Redis"));
        (int exitCode, string output, string error) = await other.EndAsync();
        Assert.True(exitCode == 0, error);
        Assert.Contains("training", output, StringComparison.Ordinal);
        string[] paths = [run, Flag("Tls"), .. Directory.GetFileSystemEntries(run, "*", SearchOption.AllDirectories),
            .. Directory.GetFileSystemEntries(Flag("Tls"))];
        Assert.Contains(paths, path => path.EndsWith(".safetensors", StringComparison.Ordinal));
        Assert.All(
            paths.Where(Path.Exists), path => Assert.Equal((path, UnixFileMode.None), (path, File.GetUnixFileMode(path) & OfOthers)));
        console.Terminate();
        await console.EndAsync();
        Assert.False(Directory.Exists(Flag("Tls")));

        string Flag(string name) =>
            flags.Single(flag => flag.StartsWith($"--Silo:{name}=", StringComparison.Ordinal)).Split('=', 2)[1];
    }

    private static async Task<bool> IsCutOffAsync(int port)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port);
        try
        {
            await client.GetStream().WriteAsync(new byte[64]);
            return await client.GetStream().ReadAsync(new byte[64]).AsTask().SoonAsync("end of the connection") == 0;
        }
        catch (IOException)
        {
            return true;
        }
    }
}
