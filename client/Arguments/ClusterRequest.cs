using System.CommandLine;
using PixelCnnCluster.Client.Cluster;

namespace PixelCnnCluster.Client.Arguments;

/// <summary>What a command asks of a shared cluster.</summary>
/// <param name="Run">Name of the run that it is about; empty for commands that are about none.</param>
/// <param name="Detach">Not to watch the run.</param>
public sealed record ClusterRequest(ClusterAddress Cluster, string Run, bool Json, bool Detach)
{
    /// <summary>The name of a run, for commands that are about one.</summary>
    public static readonly Argument<string> RunArgument = new("run") { Description = "Name of the run; the command runs lists them." };

    /// <param name="variable">Value of <see cref="CommonFlags.ClusterVariable"/>.</param>
    /// <returns>The request, which is good only when there are no mistakes.</returns>
    public static (ClusterRequest Request, IReadOnlyList<string> Mistakes) Read(ParseResult result, string? variable)
    {
        var mistakes = new List<string>();
        var loose = LooseWords.Of(result).ToList();
        string run = "";
        if (result.CommandResult.Command.Arguments.Contains(RunArgument))
        {
            run = loose.Find(word => !LooseWords.IsFlag(word)) ?? "";
            if (loose.Count == 0)
                mistakes.Add($"{LooseWords.Name(result)} needs the name of a run; the command runs lists them.");
            loose.Remove(run);
        }

        mistakes.AddRange(loose.Select(word => LooseWords.Mistake(word, result)));
        if (!CommonFlags.TryReadCluster(result, variable, mistakes, out ClusterAddress? cluster))
            mistakes.Add(
                $"{LooseWords.Name(result)} needs a cluster; give --cluster or set {CommonFlags.ClusterVariable} to host:port of its " +
                $"Redis.");
        return (new(cluster!, run, CommonFlags.Json.IsGiven(result), CommonFlags.Detach.IsGiven(result)), mistakes);
    }
}
