namespace PixelCnnCluster.Runner;

/// <summary>
/// Counts which lines and branches the tests execute, also those of the silos and consoles that they start, if these end in order:
/// a killed process loses its counts.
/// </summary>
public sealed class Coverage(string root, string folder, TextWriter output)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private string Merged => Path.Combine(folder, "report");

    /// <summary>Changes the built assemblies so that they count.</summary>
    public async Task InstrumentAsync(CancellationToken cancellation)
    {
        Directory.CreateDirectory(folder);
        string[] programs = [.. TestProject.Find(root).Select(project => project.Program), Built("Silo", "Silo"), Built("Console", "Client")];
        await RunAsync(["dotnet", "tool", "restore", "--tool-manifest", Path.Combine(root, ".config", "dotnet-tools.json")], cancellation);
        await RunAsync([.. Target("Instrument"), $"-p:CoveredPrograms={string.Join("%3B", programs)}"], cancellation);
    }

    /// <summary>Puts the built assemblies back, writes the report and prints its figures.</summary>
    public async Task ReportAsync(CancellationToken cancellation)
    {
        await RunAsync(Target("Count"), cancellation);
        await RunAsync(
            ["dotnet", "tool", "run", "reportgenerator", $"-reports:{folder}/*.xml", $"-targetdir:{Merged}", "-reporttypes:Html;JsonSummary", "-filefilters:-*/tests/*", "-verbosity:Warning"],
            cancellation);
        foreach (string line in CoverageSummary.Lines(await File.ReadAllTextAsync(Path.Combine(Merged, "Summary.json"), cancellation)))
            await output.WriteLineAsync(line);
        await output.WriteLineAsync($"Every line is in {Path.GetRelativePath(root, Path.Combine(Merged, "index.html"))}.\n");
    }

    private string[] Target(string name) =>
        ["dotnet", "msbuild", Path.Combine(root, "tests", "Runner"), "-nologo", "-v:q", "-nodeReuse:false", $"-t:{name}", $"-p:CoverageFolder={folder}"];

    private string Built(string project, string program) => Path.Combine(root, "artifacts", "bin", project, "release", $"PixelCnnCluster.{program}.dll");

    private static async Task RunAsync(IReadOnlyList<string> command, CancellationToken cancellation)
    {
        var lines = new List<string>();
        ChildEnd end = await ChildProgram.RunAsync(command, new Dictionary<string, string?>(), lines.Add, Patience, cancellation);
        cancellation.ThrowIfCancellationRequested();
        if (end.Code != 0)
            throw new UsageException($"Coverage cannot be counted: {string.Join(' ', command)} ended with code {end.Code}.\n{string.Join('\n', lines)}");
    }
}
