namespace PixelCnnCluster.Runner;

/// <summary>
/// Counts which lines and branches the tests execute, also those of the silos and consoles that they start, if these end in order:
/// a killed process loses its counts.
/// </summary>
public sealed class Coverage(string root, string folder, TextWriter output)
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(10);

    private string Report => Path.Combine(folder, "report");

    /// <summary>Where the counts of each process come.</summary>
    private string Temporary => Path.Combine(folder, "counts");

    private string Originals => Path.Combine(folder, "originals");

    private IEnumerable<string> Programs =>
        [.. TestProject.Find(root).Select(project => project.Program), Built("Silo", "Silo"), Built("Console", "Client")];

    /// <summary>Changes the built assemblies so that they count.</summary>
    public async Task InstrumentAsync(CancellationToken cancellation)
    {
        Directory.CreateDirectory(Temporary);
        foreach (string program in Programs)
            Copy(Path.GetDirectoryName(program)!, OriginalsOf(program));
        await File.WriteAllLinesAsync(Path.Combine(folder, "programs.txt"), Programs, cancellation);
        await RunAsync(["dotnet", "tool", "restore", "--tool-manifest", Path.Combine(root, ".config", "dotnet-tools.json")], cancellation);
        await RunAsync(Target("Instrument"), cancellation);
    }

    /// <summary>Puts the built assemblies back.</summary>
    public void Restore()
    {
        foreach (string program in Programs)
            Copy(OriginalsOf(program), Path.GetDirectoryName(program)!);
        Directory.Delete(Originals, recursive: true);
    }

    /// <summary>Writes the report and prints its figures.</summary>
    public async Task ReportAsync(CancellationToken cancellation)
    {
        await RunAsync(Target("Count"), cancellation);
        await RunAsync(
            ["dotnet", "tool", "run", "reportgenerator", $"-reports:{folder}/*.xml", $"-targetdir:{Report}",
                "-reporttypes:Html;JsonSummary", "-filefilters:-*/tests/*;-*/obj/*", "-verbosity:Warning"],
            cancellation);
        foreach (string line in CoverageSummary.Lines(await File.ReadAllTextAsync(Path.Combine(Report, "Summary.json"), cancellation)))
            await output.WriteLineAsync(line);
        await output.WriteLineAsync($"Every line is in {Path.GetRelativePath(root, Path.Combine(Report, "index.html"))}.\n");
    }

    private string[] Target(string name) =>
        ["dotnet", "msbuild", Path.Combine(root, "tests", "Runner"), "-nologo", "-v:q", "-nodeReuse:false", "-p:Configuration=Release",
            $"-t:{name}", $"-p:CoverageFolder={folder}"];

    private string Built(string project, string program) =>
        Path.Combine(root, "artifacts", "bin", project, "release", $"PixelCnnCluster.{program}.dll");

    private string OriginalsOf(string program) => Path.Combine(Originals, Path.GetFileNameWithoutExtension(program));

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.EnumerateFiles(from, "PixelCnnCluster.*").Where(
            file => Path.GetExtension(file) is ".dll" or ".pdb"))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)), overwrite: true);
    }

    private async Task RunAsync(IReadOnlyList<string> command, CancellationToken cancellation)
    {
        var lines = new List<string>();
        ChildEnd end = await ChildProgram.RunAsync(
            command, new Dictionary<string, string?> { ["TMPDIR"] = Temporary }, lines.Add, Timeout, cancellation);
        cancellation.ThrowIfCancellationRequested();
        if (end.Code != 0)
            throw new UsageException(
                $"Coverage cannot be counted: {string.Join(' ', command)} ended with code {end.Code}.\n{string.Join('\n', lines)}");
    }
}
