using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests;

/// <summary>A Redis that speaks TLS only, and asks for a user and a password.</summary>
[Trait("Needs", "processes")]
public sealed class RedisTlsTests : IAsyncLifetime
{
    private const string Password = "battery-staple";

    private readonly string _folder = Directory.CreateTempSubdirectory("pixelcnn-redis-tls-").FullName;
    private readonly Authority _authority = new("authority"), _stranger = new("stranger");
    private RedisServer _redis = null!;
    private Fleet? _fleet;

    private string File => Path.Combine(_folder, "redis", "ca.crt");

    public async ValueTask InitializeAsync() => _redis = await RedisServer.StartAsync(
        _folder, FreePorts.Find(1)[0], password: Password,
        tls: _authority.Write(Path.Combine(_folder, "redis"), "redis", address: System.Net.IPAddress.Loopback));

    public async ValueTask DisposeAsync()
    {
        if (_fleet is not null)
            await _fleet.DisposeAsync();
        await _redis.DisposeAsync();
        _authority.Dispose();
        _stranger.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Silos_and_consoles_use_it_with_its_authority_and_no_other()
    {
        var access = new ClusterAccess(RedisPassword: Password, RedisUser: "default", RedisTls: File);
        _fleet = new(_folder, TestLogs.FolderFor(_folder), _redis.Address, access);
        _fleet.Environment["Silo__RedisPassword"] = Password;
        _fleet.Environment["Silo__RedisUser"] = "default";
        _fleet.Environment["Silo__RedisTls"] = File;

        await _fleet.StartAsync("worker-0");

        Assert.Equal("worker-0", Assert.Single(await _fleet.Grains.Cluster.WorkersAsync()).Worker);
        foreach (ClusterAccess refused in new[] { access with { RedisTls = null }, access with { RedisTls = Foreign() } })
        {
            using var soon = new CancellationTokenSource(TimeSpan.FromSeconds(10));
            await Assert.ThrowsAnyAsync<Exception>(() => ClusterConnection.OpenAsync(new(_redis.Address), refused, soon.Token));
        }
    }

    [Fact]
    public void An_authority_that_cannot_be_read_is_told() => Assert.StartsWith(
        $"PIXELCNN_REDIS_TLS: {_folder}/none cannot be used",
        Assert.Throws<UserErrorException>(
            () => new ClusterAccess(RedisTls: Path.Combine(_folder, "none")).Options(new(_redis.Address))).Message,
        StringComparison.Ordinal);

    private string Foreign() => Path.Combine(_stranger.Write(Path.Combine(_folder, "stranger"), "stranger"), "ca.crt");
}
