namespace PixelCnnCluster.Runner;

/// <summary>A project of tests and the program that its build makes.</summary>
public sealed record TestProject(string Name, string Program)
{
    /// <summary>The projects in the folders below tests, so that none is forgotten.</summary>
    public static IReadOnlyList<TestProject> Find(string root) =>
        [.. Directory.EnumerateFiles(
            Path.Combine(root, "tests"), "*.Tests.csproj", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1 })
            .Select(path => Path.GetFileNameWithoutExtension(path))
            .Order(StringComparer.Ordinal)
            .Select(name => new TestProject(name, Path.Combine(root, "artifacts", "bin", name, "release", $"PixelCnnCluster.{name}.dll")))];

    /// <summary>The folder above that has the solution.</summary>
    public static string FindRoot(string below)
    {
        DirectoryInfo? folder = new(below);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "PixelCnnCluster.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException($"No PixelCnnCluster.sln above {below}.");
    }
}
