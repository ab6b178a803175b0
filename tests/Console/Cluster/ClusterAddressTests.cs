using PixelCnnCluster.Client.Cluster;

namespace PixelCnnCluster.Console.Tests.Cluster;

public sealed class ClusterAddressTests
{
    [Theory]
    [InlineData("redis:6379", "redis:6379", "pixelcnn")]
    [InlineData("10.0.0.7:1/blue", "10.0.0.7:1", "blue")]
    [InlineData("redis.example.org:65535/local-1", "redis.example.org:65535", "local-1")]
    [InlineData("[::1]:6379/blue", "[::1]:6379", "blue")]
    [InlineData("a:1,b:2,serviceName=main/blue", "a:1,b:2,serviceName=main", "blue")]
    public void An_address_is_host_and_port_with_an_id_behind(string text, string redis, string id)
    {
        Assert.True(ClusterAddress.TryParse(text, out ClusterAddress? address), text);
        Assert.Equal(new ClusterAddress(redis, id), address);
        Assert.Equal(text, address!.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("redis")]
    [InlineData("redis:")]
    [InlineData(":6379")]
    [InlineData("redis:0")]
    [InlineData("redis:65536")]
    [InlineData("redis:6379/")]
    [InlineData("redis:6379/a/b")]
    [InlineData("redis:6379/a b")]
    [InlineData("redis:6379\n")]
    [InlineData("redis://redis:6379")]
    [InlineData("::1:6379")]
    [InlineData("a:1,b:2")]
    [InlineData("a:1,b:65536,serviceName=main")]
    [InlineData("a:1,password=secret")]
    public void Anything_else_is_none(string text) => Assert.False(ClusterAddress.TryParse(text, out _), text);
}
