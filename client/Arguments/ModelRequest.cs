using System.CommandLine;
using PixelCnnCluster.Client.Cluster;

namespace PixelCnnCluster.Client.Arguments;

/// <summary>What all commands that use a trained model were told.</summary>
/// <param name="Cluster">The shared cluster; null for one of this machine's own.</param>
/// <param name="Model">As it was given; null for the newest.</param>
/// <param name="Words">Words that are no flags: files.</param>
public sealed record ModelRequest(ClusterAddress? Cluster, string? Model, IReadOnlyList<string> Words, bool Json)
{
    /// <param name="variable">Value of <see cref="CommonFlags.ClusterVariable"/>.</param>
    /// <param name="mistakes">One sentence each; the request is good only when there is none.</param>
    public static ModelRequest Read(ParseResult result, string? variable, ICollection<string> mistakes)
    {
        bool takesWords = result.CommandResult.Command.Arguments.Count > 0;
        var words = new List<string>();
        foreach (string word in LooseWords.Of(result))
        {
            if (takesWords && !LooseWords.IsFlag(word))
                words.Add(word);
            else
                mistakes.Add(LooseWords.Mistake(word, result));
        }

        CommonFlags.TryReadCluster(result, variable, mistakes, out ClusterAddress? address);
        return new(address, Text(result, ModelFlags.Model, mistakes), words, CommonFlags.Json.IsGiven(result));
    }

    /// <summary>The value of a flag, or <paramref name="missing"/>.</summary>
    public static T Value<T>(ParseResult result, Valued<T> flag, ICollection<string> mistakes, T missing) =>
        flag.TryRead(result, mistakes, out T? value) ? value! : missing;

    /// <summary>The number that a flag gives; null where it is not given.</summary>
    public static int? Number(ParseResult result, Valued<int> flag, ICollection<string> mistakes) =>
        flag.TryRead(result, mistakes, out int value) ? value : null;

    /// <summary>The text that a flag gives; null where it is not given.</summary>
    public static string? Text(ParseResult result, Valued<string> flag, ICollection<string> mistakes) =>
        flag.TryRead(result, mistakes, out string? value) ? value : null;
}
