using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests.Cluster;

public sealed class AbsentRedisTests
{
    internal static async Task<string> MistakeAsync(ClusterAddress address) =>
        (await Assert.ThrowsAsync<UserErrorException>(
            () => SharedCluster.ConnectAsync(address, TestContext.Current.CancellationToken)
                .SoonAsync($"the answer about {address}"))).Message;

    [Fact]
    public async Task Nobody_listens()
    {
        string address = $"127.0.0.1:{FreePorts.Find(1)[0]}";

        Mistake.AssertNames(address, await MistakeAsync(new(address)));
    }

    [Fact]
    public async Task The_host_is_unknown() =>
        Mistake.AssertNames("nowhere.invalid:6379", await MistakeAsync(new("nowhere.invalid:6379")));
}
