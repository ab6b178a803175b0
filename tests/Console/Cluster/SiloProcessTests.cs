using PixelCnnCluster.Client.Cluster;

namespace PixelCnnCluster.Console.Tests.Cluster;

public sealed class SiloProcessTests : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private SiloProcess Shell(string script) => SiloProcess.Start("worker-0", ["/bin/sh", "-c", script], _folder.File("worker-0.log"));

    [Fact]
    public async Task A_silo_is_ready_when_it_says_so_and_ends_with_its_input()
    {
        await using (var silo = Shell("echo starting; echo ready; cat > /dev/null; echo bye >&2"))
        {
            await silo.Ready.WaitAsync(Deadline, TestContext.Current.CancellationToken);
            Assert.False(silo.Exited.IsCompleted);
        }

        Assert.Equal(["starting", "bye"], await File.ReadAllLinesAsync(_folder.File("worker-0.log"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_silo_that_ends_early_shows_the_end_of_its_log()
    {
        await using var silo = Shell("echo no device >&2; exit 3");

        var fault = await Assert.ThrowsAsync<ClusterFaultException>(() => silo.Ready.WaitAsync(Deadline, TestContext.Current.CancellationToken));

        Assert.Equal($"worker-0 ended before it was ready. Its log is {_folder.File("worker-0.log")} and ends with:\n  no device", fault.Message);
    }

    [Fact]
    public async Task What_happened_is_shown_however_deep_it_did()
    {
        await using var silo = Shell("echo 'Unhandled exception. IOException: taken' >&2; for i in $(seq 20); do echo '   at Some.Method()' >&2; done");

        var fault = await Assert.ThrowsAsync<ClusterFaultException>(() => silo.Ready.WaitAsync(Deadline, TestContext.Current.CancellationToken));

        Assert.EndsWith("ends with:\n  Unhandled exception. IOException: taken", fault.Message, StringComparison.Ordinal);
        Assert.Equal(21, (await File.ReadAllLinesAsync(silo.LogPath, TestContext.Current.CancellationToken)).Length);
    }

    [Fact]
    public async Task A_killed_silo_is_noticed()
    {
        await using var silo = Shell("echo ready; cat > /dev/null");
        await silo.Ready.WaitAsync(Deadline, TestContext.Current.CancellationToken);

        silo.Kill();

        await silo.Exited.WaitAsync(Deadline, TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData(null, "glibc.malloc.hugetlb=1")]
    [InlineData("glibc.malloc.hugetlb=0", "glibc.malloc.hugetlb=0")]
    public async Task A_silo_asks_for_large_pages_unless_it_is_told_otherwise(string? told, string expected)
    {
        Dictionary<string, string> environment = told is null ? [] : new() { ["GLIBC_TUNABLES"] = told };
        await using (var silo = SiloProcess.Start("worker-0", ["/bin/sh", "-c", "echo ready; echo $GLIBC_TUNABLES"], _folder.File("log"), environment))
            await silo.Exited.WaitAsync(Deadline, TestContext.Current.CancellationToken);

        Assert.Equal([expected], await File.ReadAllLinesAsync(_folder.File("log"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public void A_program_that_is_not_there_is_a_fault()
    {
        var fault = Assert.Throws<ClusterFaultException>(() => SiloProcess.Start("worker-0", ["/no/such/program"], _folder.File("log")));

        Assert.StartsWith("worker-0 cannot be started", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_silo_is_found_beside_the_console_as_built_and_below_it_as_published()
    {
        var built = Directory.CreateDirectory(_folder.File("bin/Silo/release")).FullName;
        var console = Directory.CreateDirectory(_folder.File("bin/Console/release")).FullName;
        Assert.Throws<ClusterFaultException>(() => SiloProgram.Find(console));

        File.WriteAllText(Path.Combine(built, "PixelCnnCluster.Silo.dll"), "");
        Assert.Equal(Path.Combine(built, "PixelCnnCluster.Silo.dll"), SiloProgram.Find(console + "/"));
        Assert.False(SiloProgram.IsPublished(console));

        Directory.CreateDirectory(Path.Combine(console, "silo"));
        File.WriteAllText(Path.Combine(console, "silo", "PixelCnnCluster.Silo.dll"), "");
        Assert.Equal(Path.Combine(console, "silo", "PixelCnnCluster.Silo.dll"), SiloProgram.Find(console));
        Assert.True(SiloProgram.IsPublished(console));
    }
}
