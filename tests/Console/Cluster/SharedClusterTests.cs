using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using StackExchange.Redis;

namespace PixelCnnCluster.Console.Tests.Cluster;

[Trait("Needs", "processes")]
public sealed class SharedClusterTests
{
    private static async Task WriteVersionAsync(EmbeddedStore store, string version)
    {
        await using ConnectionMultiplexer redis = await ConnectionMultiplexer.ConnectAsync(store.Address);
        await redis.GetDatabase().StringSetAsync(ClusterNames.VersionKey(ClusterNames.DefaultClusterId), version);
    }

    [Fact]
    public async Task No_silo_has_registered()
    {
        using var store = new EmbeddedStore();

        Mistake.AssertNames("--Silo:ClusterId=blue", await AbsentRedisTests.MistakeAsync(new(store.Address, "blue")));
    }

    [Fact]
    public async Task The_silos_are_of_another_version()
    {
        using var store = new EmbeddedStore();
        await WriteVersionAsync(store, "0.9.7");

        Mistake.AssertNames("0.9.7", await AbsentRedisTests.MistakeAsync(new(store.Address)));
    }

    [Fact]
    public async Task No_silo_answers()
    {
        using var store = new EmbeddedStore();
        await WriteVersionAsync(store, ClusterNames.Version);

        Mistake.AssertNames("PIXELCNN_TLS", await AbsentRedisTests.MistakeAsync(new(store.Address)));
    }
}
