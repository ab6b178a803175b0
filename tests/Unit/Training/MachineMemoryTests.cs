using PixelCnnCluster.Training.Devices;
using PixelCnnCluster.Unit.Tests.Data;

namespace PixelCnnCluster.Unit.Tests.Training;

/// <summary>Folders as Linux shows them stand for machines and containers.</summary>
public sealed class MachineMemoryTests : IDisposable
{
    private readonly TempFolder _root = new();

    public void Dispose() => _root.Dispose();

    [Fact]
    public void A_machine_without_groups_has_its_memory()
    {
        Write("proc/meminfo", "MemTotal:       16303040 kB\nMemFree: 1 kB\n");

        Assert.Equal(16303040L * 1024, MachineMemory.Limit(_root.Path));
    }

    [Theory]
    [InlineData("0::/", "sys/fs/cgroup/memory.max")]
    [InlineData("0::/kubepods/pod1/silo", "sys/fs/cgroup/kubepods/pod1/silo/memory.max")]
    [InlineData("0::/kubepods/pod1/silo", "sys/fs/cgroup/kubepods/memory.max")]
    [InlineData("5:memory:/docker/1a", "sys/fs/cgroup/memory/docker/1a/memory.limit_in_bytes")]
    [InlineData("5:memory:/docker/1a", "sys/fs/cgroup/memory/memory.limit_in_bytes")]
    public void The_least_limit_counts(string group, string file)
    {
        Write("proc/meminfo", "MemTotal:       16303040 kB\n");
        Write("proc/self/cgroup", $"3:cpu:/else\n{group}\n");
        Write(file, "4294967296\n");

        Assert.Equal(4294967296, MachineMemory.Limit(_root.Path));
    }

    [Fact]
    public void A_group_without_a_limit_has_none()
    {
        Write("proc/meminfo", "MemTotal:       1000 kB\n");
        Write("proc/self/cgroup", "0::/a\n");
        Write("sys/fs/cgroup/a/memory.max", "max\n");

        Assert.Equal(1000 * 1024, MachineMemory.Limit(_root.Path));
    }

    [Fact]
    public void This_machine_has_some() => Assert.InRange(MachineMemory.Limit(), 100_000_000, long.MaxValue - 1);

    private void Write(string file, string text)
    {
        string path = Path.Combine(_root.Path, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }
}
