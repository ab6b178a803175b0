using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using StackExchange.Redis;

namespace PixelCnnCluster.Console.Tests.Cluster;

public sealed class SharedClusterTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private static async Task<string> MistakeAsync(ClusterAddress address) =>
        (await Assert.ThrowsAsync<UserErrorException>(() => SharedCluster.ConnectAsync(address, TestContext.Current.CancellationToken).WaitAsync(Deadline, TestContext.Current.CancellationToken))).Message;

    private static async Task WriteVersionAsync(EmbeddedStore store, string version)
    {
        await using var redis = await ConnectionMultiplexer.ConnectAsync(store.Address);
        await redis.GetDatabase().StringSetAsync(ClusterNames.VersionKey(ClusterNames.DefaultClusterId), version);
    }

    [Fact]
    public async Task Nobody_listens()
    {
        var address = $"127.0.0.1:{FreePorts.Find(1)[0]}";

        Assert.Equal($"No Redis answers at {address}; see that it runs there, or give the right host:port with --cluster.", await MistakeAsync(new(address)));
    }

    [Fact]
    public async Task The_host_is_unknown() =>
        Assert.StartsWith("No Redis answers at nowhere.invalid:6379; ", await MistakeAsync(new("nowhere.invalid:6379")), StringComparison.Ordinal);

    [Fact]
    public async Task No_silo_has_registered()
    {
        using var store = new EmbeddedStore();

        Assert.Equal(
            $"No silo has registered at {store.Address} under the cluster id blue; start one with --Silo:Redis={store.Address} --Silo:ClusterId=blue, or give another id with --cluster {store.Address}/ID.",
            await MistakeAsync(new(store.Address, "blue")));
    }

    [Fact]
    public async Task The_silos_are_of_another_version()
    {
        using var store = new EmbeddedStore();
        await WriteVersionAsync(store, "0.9.7");

        Assert.Equal(
            $"The silos of {store.Address} are of version 0.9.7 and this console is of version {ClusterNames.Version}; take the console of version 0.9.7, or start the silos anew with version {ClusterNames.Version}.",
            await MistakeAsync(new(store.Address)));
    }

    [Fact]
    public async Task No_silo_answers()
    {
        using var store = new EmbeddedStore();
        await WriteVersionAsync(store, ClusterNames.Version);

        Assert.Equal(
            $"No silo of cluster pixelcnn answers, though some have registered at {store.Address}; see that one runs and that its gateway port can be reached from here; if the silos have certificates, name the folder of this console's with PIXELCNN_TLS.",
            await MistakeAsync(new(store.Address)));
    }
}
