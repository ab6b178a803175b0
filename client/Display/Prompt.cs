using PixelCnnCluster.Client.Cluster;

namespace PixelCnnCluster.Client.Display;

/// <summary>Writes commands of this console so that they can be pasted.</summary>
/// <param name="Program">How this console is called.</param>
/// <param name="Cluster">The shared cluster that the commands are for; null for none.</param>
public sealed record Prompt(string Program, ClusterAddress? Cluster)
{
    /// <summary>For the console as it runs.</summary>
    public static Prompt For(ClusterAddress? cluster) => new(
        SiloProgram.IsPublished(AppContext.BaseDirectory) ? $"dotnet {Environment.GetCommandLineArgs()[0]}"
            : "dotnet run -c Release --project client --",
        cluster);

    /// <summary>A word of a command.</summary>
    public static string Quote(string word) => word.Contains(' ', StringComparison.Ordinal) ? $"\"{word}\"" : word;

    public string Command(string words) => $"{Program} {words}{(Cluster is null ? "" : $" --cluster {Cluster}")}";
}
