using PixelCnnCluster.Client.Cluster;

namespace PixelCnnCluster.Console.Tests.Cluster;

public sealed class SiloProgramTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_program_that_is_not_there_is_a_fault()
    {
        ClusterFaultException fault = Assert.Throws<ClusterFaultException>(
            () => SiloProcess.Start("worker-0", ["/no/such/program"], _folder.File("log")));

        Assert.StartsWith("worker-0 cannot be started", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_silo_is_found_beside_the_console_as_built_and_below_it_as_published()
    {
        string built = Directory.CreateDirectory(_folder.File("bin/Silo/release")).FullName;
        string console = Directory.CreateDirectory(_folder.File("bin/Console/release")).FullName;
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
