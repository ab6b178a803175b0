using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;
using StackExchange.Redis;

namespace PixelCnnCluster.Cluster.Tests;

/// <summary>What operators get wrong: the silo says so in a sentence, does not start, and exits with code 2.</summary>
[Trait("Needs", "processes")]
public sealed class SiloMistakeTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("pixelcnn-mistakes-").FullName;
    private RedisServer _redis = null!;

    public async ValueTask InitializeAsync() =>
        _redis = await RedisServer.StartAsync(_folder, FreePorts.Find(1)[0], password: "open-sesame");

    public async ValueTask DisposeAsync()
    {
        await _redis.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task All_mistakes_are_told_together()
    {
        IReadOnlyList<string> told = await RefusedAsync(
            [], "--Silo:Address=10.0.0.1", "--Silo:HttpAddress=0.0.0.0", "--Silo:HttpPort=8080", "--Silo:Port=0", "--Silo:Device=gpu",
            "--Silo:Threads=0", "--Silo:Folders=data:/nowhere", "--Silo:RedisPassword=open-sesame", $"--Silo:Tls={_folder}",
            "--Silo:Redis=127.0.0.1:1,password=open-sesame");
        string[] named =
        [
            "Silo:Port", "Silo:Device", "Silo:Threads", "Silo:Folders has data", "Silo__HttpToken", "Silo__RedisPassword",
            "Silo:Folders has /nowhere", $"Silo:Tls: {_folder}/tls.crt", "Silo:Redis",
        ];
        AssertNamed(named, told);
    }

    [Theory]
    [InlineData("--Silo:Address=10.0.0.1", "Silo:Tls", "Silo:Folders")]
    [InlineData("--Silo:Address=0.0.0.0", "Silo:Address", "Silo:Tls", "Silo:Folders")]
    [InlineData("--Silo:Address=somewhere", "Silo:Address")]
    [InlineData("--Silo:GatewayPort=11111", "Silo:GatewayPort 11111")]
    [InlineData("--Silo:Redis=127.0.0.1:1,password=x", "Silo__RedisPassword")]
    [InlineData("--Silo:Redis=10.0.0.1:6379", "Silo__RedisPassword")]
    [InlineData("--Silo:RedisTls=/nowhere/ca.crt", "Silo:RedisTls: /nowhere/ca.crt")]
    [InlineData("--Silo:Port=many", "Silo:Port")]
    public async Task Wrong_settings(string flag, params string[] named) => AssertNamed(named, await RefusedAsync([], flag));

    [Theory]
    [InlineData("correct-horse")]
    [InlineData("correct horse battery staple")]
    [InlineData("correct-horse-bättery-staple")]
    public async Task A_token_that_is_easily_guessed_or_cannot_be_shown(string token) =>
        AssertNamed(["Silo__HttpToken"], await RefusedAsync(new() { ["Silo__HttpToken"] = token }));

    [Fact]
    public async Task A_PyTorch_that_does_not_fit() => AssertNamed(
        [$"Torch:NativeLibraryPath is {_folder}"], await RefusedAsync(new() { ["Torch__NativeLibraryPath"] = _folder }));

    /// <summary>The tests' build has the libtorch for CPUs.</summary>
    [Fact]
    public async Task A_GPU_that_is_not_there()
    {
        int[] ports = FreePorts.Find(2);
        AssertNamed(
            ["Silo:Device is cuda:1"],
            await RefusedAsync([], "--Silo:Device=cuda:1", $"--Silo:Port={ports[0]}", $"--Silo:GatewayPort={ports[1]}"));
    }

    [Fact]
    public async Task Settings_that_do_not_exist() =>
        Assert.Contains("Tread", Assert.Single(await RefusedAsync([], "--Silo:Treads=2")), StringComparison.Ordinal);

    [Fact]
    public async Task Certificates_that_cannot_be_used()
    {
        using var authority = new Authority("cluster");
        using var other = new Authority("other");
        string late = authority.Write(Path.Combine(_folder, "late"), "late", DateTimeOffset.UtcNow.AddHours(-1));
        Assert.Matches(
            $"^Silo:Tls: {late}/tls.crt cannot be used: the certificate of CN=late is good from .* to .*Z, and it is .*Z; renew it, or " +
            $"see that the clock is right.$", Assert.Single(await RefusedAsync([], $"--Silo:Tls={late}")));
        string foreign = authority.Write(Path.Combine(_folder, "foreign"), "foreign", trusted: other.Pem);
        Assert.StartsWith(
            $"Silo:Tls: {foreign}/tls.crt cannot be used: the certificate of CN=foreign is not of the cluster's authority",
            Assert.Single(await RefusedAsync([], $"--Silo:Tls={foreign}")), StringComparison.Ordinal);
        string mixed = authority.Write(Path.Combine(_folder, "mixed"), "mixed");
        File.Copy(Path.Combine(foreign, "tls.key"), Path.Combine(mixed, "tls.key"), overwrite: true);
        Assert.StartsWith(
            $"Silo:Tls: {mixed}/tls.key cannot be used", Assert.Single(await RefusedAsync([], $"--Silo:Tls={mixed}")),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("guessed")]
    public async Task A_wrong_password_of_Redis(string? password)
    {
        IReadOnlyList<string> told = await RefusedAsync(
            password is null ? [] : new() { ["Silo__RedisPassword"] = password }, $"--Silo:Redis={_redis.Address}");
        AssertNamed(["Silo__RedisPassword"], told);
    }

    [Fact]
    public async Task A_Redis_that_is_not_there() =>
        Assert.StartsWith(
            "No Redis can be used at 127.0.0.1:1 (", Assert.Single(await RefusedAsync([], "--Silo:Redis=127.0.0.1:1")),
            StringComparison.Ordinal);

    [Theory]
    [InlineData("Port")]
    [InlineData("GatewayPort")]
    [InlineData("HttpPort")]
    public async Task A_port_that_is_taken(string setting)
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        int[] free = FreePorts.Find(3);
        Dictionary<string, int> ports = new() { ["Port"] = free[0], ["GatewayPort"] = free[1], ["HttpPort"] = free[2] };
        ports[setting] = ((IPEndPoint)taken.LocalEndpoint).Port;
        IReadOnlyList<string> told = await RefusedAsync(
            new() { ["Silo__RedisPassword"] = "open-sesame" },
            [$"--Silo:Redis={_redis.Address}", .. ports.Select(port => $"--Silo:{port.Key}={port.Value}")]);
        AssertNamed([$"Silo:{setting} {ports[setting]}"], told);
    }

    [Fact]
    public async Task A_clock_that_is_wrong_is_told_and_the_silo_serves()
    {
        await using var fleet = new Fleet(
            _folder, _folder, _redis.Address,
            new ClusterAccess(RedisPassword: "open-sesame"))
        { Environment = { ["Silo__RedisPassword"] = "open-sesame" } };
        SiloProcess silo = fleet.Launch("late", "127.0.0.1", "faketime", "-f", "-90s");
        await silo.Ready.WithinAsync(Deadline.Generous, "the silo whose clock is late");
        string warning = await LineAsync(silo.LogPath, "clock");
        Assert.Matches("This machine's clock is (89|90|91) s behind that of Redis at", warning);
    }

    /// <summary>Of two silos of one name one would stand idle, and nobody would see it.</summary>
    [Fact]
    public async Task A_name_that_a_living_silo_has()
    {
        await using var fleet = new Fleet(
            _folder, _folder, _redis.Address, new ClusterAccess(RedisPassword: "open-sesame"))
        { Environment = { ["Silo__RedisPassword"] = "open-sesame" } };
        await fleet.StartAsync("twin");

        IReadOnlyList<string> told = await RefusedAsync(
            new() { ["Silo__RedisPassword"] = "open-sesame" },
            [.. FreshPorts(), $"--Silo:Redis={_redis.Address}", "--Silo:Name=twin"]);

        AssertNamed([$"127.0.0.1:{fleet.PortsOf("twin")[0]}"], told);
    }

    [Fact]
    public async Task A_version_that_differs_from_the_living_silos()
    {
        using (ConnectionMultiplexer store = await ConnectionMultiplexer.ConnectAsync($"{_redis.Address},password=open-sesame"))
        {
            long later = DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeMilliseconds();
            await store.GetDatabase().HashSetAsync(
                "pixelcnn-cluster/older/signs", "old",
                $$"""{"Version":"0.9.0","Place":"elsewhere","Process":1,"Address":"10.0.0.1:11111","At":{{later}}}""");
        }

        IReadOnlyList<string> told = await RefusedAsync(
            new() { ["Silo__RedisPassword"] = "open-sesame" },
            [.. FreshPorts(), $"--Silo:Redis={_redis.Address}", "--Silo:ClusterId=older"]);

        Assert.StartsWith(
            $"Silo old at 10.0.0.1:11111 is of version 0.9.0 and this one of version {ClusterNames.Version}", Assert.Single(told),
            StringComparison.Ordinal);
    }

    /// <summary>One sentence for each mistake, which names the setting.</summary>
    private static void AssertNamed(string[] named, IReadOnlyList<string> told)
    {
        Assert.Equal(named.Length, told.Count);
        Assert.All(named.Zip(told), pair => Assert.Contains(pair.First, pair.Second, StringComparison.Ordinal));
    }

    private static IEnumerable<string> FreshPorts() =>
        FreePorts.Find(4).Zip(["Port", "GatewayPort", "DataPort", "HttpPort"], (port, name) => $"--Silo:{name}={port}");

    private static Task<string> LineAsync(string path, string word) => Deadline.UntilAsync(
        () => Task.FromResult(File.ReadLines(path).FirstOrDefault(line => line.Contains(word, StringComparison.Ordinal))),
        $"a line with {word} in {path}");

    /// <summary>What the silo says before it exits with code 2.</summary>
    private static async Task<IReadOnlyList<string>> RefusedAsync(Dictionary<string, string> environment, params IEnumerable<string> flags)
    {
        var start = new ProcessStartInfo(
            "dotnet", [SiloProgram.Find(AppContext.BaseDirectory), .. flags])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true
        };
        foreach ((string variable, string value) in environment)
            start.Environment[variable] = value;
        using Process silo = Process.Start(start)!;
        Task<string> error = silo.StandardError.ReadToEndAsync(), output = silo.StandardOutput.ReadToEndAsync();
        try
        {
            await silo.WaitForExitAsync().WithinAsync(Deadline.Generous, "the end of a silo that cannot start");
        }
        finally
        {
            silo.Kill();
        }

        string told = await error;
        Assert.True(silo.ExitCode == 2, $"exit code {silo.ExitCode}: {told}");
        Assert.Empty(await output);
        return [.. told.Split('\n', StringSplitOptions.RemoveEmptyEntries)];
    }
}
