namespace PixelCnnCluster.Training.Weights;

/// <summary>
/// What is wrong with a file of weights and what to do, as the rest of a sentence that begins with its name and lacks its full stop.
/// </summary>
/// <remarks>It may quote the file, whose characters must not command a terminal.</remarks>
internal sealed class WeightFileException(string fault)
    : Exception(string.Concat(fault.Select(character => char.IsControl(character) ? '?' : character)))
{
    private const int Most = 10, Longest = 120;

    /// <summary>The first few, and how many more there are.</summary>
    public static string List(IReadOnlyCollection<string> items) =>
        string.Join(", ", items.Take(Most).Select(item => item.Length > Longest ? item[..Longest] + "..." : item))
            + (items.Count > Most ? $" and {items.Count - Most} more" : "");
}
