using System.Globalization;
using PixelCnnCluster.Client.Cluster;

namespace PixelCnnCluster.Console.Tests.Cluster;

public sealed class FreePortsTests
{
    [Fact]
    public void No_port_comes_twice_and_none_that_a_connection_is_given()
    {
        // Of 1,000 that are chosen blindly, some thirty would come again.
        var ports = Enumerable.Range(0, 500).SelectMany(_ => FreePorts.Find(2)).ToList();
        Assert.Equal(1000, ports.Distinct().Count());
        int given = int.Parse(File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range").Split()[0], CultureInfo.InvariantCulture);
        Assert.All(ports, port => Assert.InRange(port, 1024, given - 1));
    }
}
