using PixelCnnCluster.Client.Cluster;
using StackExchange.Redis;

namespace PixelCnnCluster.Console.Tests.Cluster;

[Trait("Needs", "processes")]
public sealed class EmbeddedStoreTests
{
    [Fact]
    public async Task Redis_clients_can_set_get_and_run_scripts()
    {
        using var store = new EmbeddedStore();
        await using ConnectionMultiplexer redis = await ConnectionMultiplexer.ConnectAsync(store.Address);
        IDatabase database = redis.GetDatabase();

        await database.StringSetAsync("key", "value");
        RedisResult script = await database.ScriptEvaluateAsync("return redis.call('GET', KEYS[1]) .. ARGV[1]", ["key"], ["!"]);

        Assert.Equal("value", await database.StringGetAsync("key"));
        Assert.Equal("value!", script.ToString());
    }

    [Fact]
    public async Task Two_stores_know_nothing_of_each_other()
    {
        using var first = new EmbeddedStore();
        using var second = new EmbeddedStore();
        await using ConnectionMultiplexer toFirst = await ConnectionMultiplexer.ConnectAsync(first.Address);
        await using ConnectionMultiplexer toSecond = await ConnectionMultiplexer.ConnectAsync(second.Address);

        await toFirst.GetDatabase().StringSetAsync("key", "value");

        Assert.True((await toSecond.GetDatabase().StringGetAsync("key")).IsNull);
    }
}
