namespace PixelCnnCluster.Training.Weights;

/// <summary>
/// What is wrong with a file of weights and what to do, as the rest of a sentence that begins with its name and lacks its full stop.
/// </summary>
internal sealed class WeightFileException(string fault) : Exception(fault)
{
    private const int Most = 10, Longest = 120;

    /// <summary>The first few, and how many more there are.</summary>
    public static string List(IReadOnlyCollection<string> items) =>
        string.Join(", ", items.Take(Most).Select(item => item.Length > Longest ? item[..Longest] + "..." : item))
            + (items.Count > Most ? $" and {items.Count - Most} more" : "");
}
