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

        Assert.Equal(
            $"No silo has registered at {store.Address} under the cluster id blue; start one with " +
            $"--Silo:Redis={store.Address} --Silo:ClusterId=blue, or give another id with --cluster {store.Address}/ID.",
            await AbsentRedisTests.MistakeAsync(new(store.Address, "blue")));
    }

    [Fact]
    public async Task The_silos_are_of_another_version()
    {
        using var store = new EmbeddedStore();
        await WriteVersionAsync(store, "0.9.7");

        Assert.Equal(
            $"The silos of {store.Address} are of version 0.9.7 and this console is of version {ClusterNames.Version}; take the console " +
            $"of version 0.9.7, or start the silos anew with version {ClusterNames.Version}.",
            await AbsentRedisTests.MistakeAsync(new(store.Address)));
    }

    [Fact]
    public async Task No_silo_answers()
    {
        using var store = new EmbeddedStore();
        await WriteVersionAsync(store, ClusterNames.Version);

        Assert.Equal(
            $"No silo of cluster pixelcnn answers, though some have registered at {store.Address}; see that one runs and that its " +
            $"gateway port can be reached from here; if the silos have certificates, name the folder of this console's with PIXELCNN_TLS.",
            await AbsentRedisTests.MistakeAsync(new(store.Address)));
    }
}
