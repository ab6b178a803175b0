using PixelCnnCluster.Client.Cluster;

namespace PixelCnnCluster.Console.Tests.Cluster;

[Trait("Needs", "processes")]
public sealed class SiloProcessTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private SiloProcess Shell(string script) => SiloProcess.Start("worker-0", ["/bin/sh", "-c", script], _folder.File("worker-0.log"));

    [Fact]
    public async Task A_silo_is_ready_when_it_says_so_and_ends_with_its_input()
    {
        await using (SiloProcess silo = Shell("echo starting; echo ready; cat > /dev/null; echo bye >&2"))
        {
            await silo.Ready.SoonAsync("the silo to be ready");
            Assert.False(silo.Exited.IsCompleted);
        }

        Assert.Equal(
            ["starting", "bye"], await File.ReadAllLinesAsync(_folder.File("worker-0.log"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_silo_that_ends_early_shows_the_end_of_its_log()
    {
        await using SiloProcess silo = Shell("echo no device >&2; exit 3");

        ClusterFaultException fault = await Assert.ThrowsAsync<ClusterFaultException>(() => silo.Ready.SoonAsync("the silo's failure"));

        Assert.Equal(
            $"worker-0 ended before it was ready. Its log is {_folder.File("worker-0.log")} and ends with:\n  no device", fault.Message);
    }

    [Fact]
    public async Task What_happened_is_shown_however_deep_it_did()
    {
        await using SiloProcess silo = Shell(
            "echo 'Unhandled exception. IOException: taken' >&2; for i in $(seq 20); do echo '   at Some.Method()' >&2; done");

        ClusterFaultException fault = await Assert.ThrowsAsync<ClusterFaultException>(() => silo.Ready.SoonAsync("the silo's failure"));

        Assert.EndsWith("ends with:\n  Unhandled exception. IOException: taken", fault.Message, StringComparison.Ordinal);
        Assert.Equal(21, (await File.ReadAllLinesAsync(silo.LogPath, TestContext.Current.CancellationToken)).Length);
    }

    [Fact]
    public async Task A_killed_silo_is_noticed()
    {
        await using SiloProcess silo = Shell("echo ready; cat > /dev/null");
        await silo.Ready.SoonAsync("the silo to be ready");

        silo.Kill();

        await silo.Exited.SoonAsync("the silo's end");
    }

    [Theory]
    [InlineData(null, "glibc.malloc.hugetlb=1")]
    [InlineData("glibc.malloc.hugetlb=0", "glibc.malloc.hugetlb=0")]
    public async Task A_silo_asks_for_large_pages_unless_it_is_told_otherwise(string? told, string expected)
    {
        Dictionary<string, string> environment = told is null ? [] : new() { ["GLIBC_TUNABLES"] = told };
        await using (var silo = SiloProcess.Start(
            "worker-0", ["/bin/sh", "-c", "echo ready; echo $GLIBC_TUNABLES"], _folder.File("log"), environment))
            await silo.Exited.SoonAsync("the silo's end");

        Assert.Equal([expected], await File.ReadAllLinesAsync(_folder.File("log"), TestContext.Current.CancellationToken));
    }
}
