using System.Globalization;

namespace PixelCnnCluster.Training.Devices;

/// <summary>What this process may use of the machine's memory.</summary>
public static class MachineMemory
{
    /// <summary>Bytes: the machine's memory, or the limit of the container or group of processes if that is less.</summary>
    public static long Limit() => Limit("/");

    /// <param name="root">Folder that holds proc and sys, as Linux has them.</param>
    internal static long Limit(string root)
    {
        IEnumerable<string> meminfo = Lines(root, "proc/meminfo").Where(line => line.StartsWith("MemTotal:", StringComparison.Ordinal));
        IEnumerable<long> limits = meminfo.Select(line => Number(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) * 1024);
        return limits.Concat(Lines(root, "proc/self/cgroup").SelectMany(line => GroupLimits(root, line)))
            .DefaultIfEmpty(long.MaxValue).Min();
    }

    /// <summary>Limits of a group and those above it. A container sees its own group as the root.</summary>
    /// <param name="line">As ID:CONTROLLERS:PATH; version 2 has no controllers.</param>
    private static IEnumerable<long> GroupLimits(string root, string line)
    {
        string[] parts = line.Split(':', 3);
        (string folder, string file) = parts is [_, "", _]
            ? ("sys/fs/cgroup", "memory.max")
            : ("sys/fs/cgroup/memory", "memory.limit_in_bytes");
        if (parts is not [_, "" or "memory", { } path])
            yield break;
        for (string? group = path.TrimStart('/'); group is not null; group = group.Length == 0 ? null : Path.GetDirectoryName(group))
        {
            foreach (string limit in Lines(root, Path.Combine(folder, group, file)).Where(limit => limit != "max"))
                yield return Number(limit);
        }
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    private static string[] Lines(string root, string file)
    {
        try
        {
            return File.ReadAllLines(Path.Combine(root, file));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
