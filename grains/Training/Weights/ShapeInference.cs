using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Layers;

namespace PixelCnnCluster.Training.Weights;

/// <summary>
/// Tells the network from the shapes of its layers' weights. Each number is what most of the layers say that show it, so that one
/// missing or misshapen tensor is seen as such and does not make all the others wrong.
/// </summary>
internal sealed class ShapeInference
{
    private readonly IReadOnlyDictionary<string, long[]> _weights;

    private ShapeInference(IReadOnlyDictionary<string, long[]> weights) => _weights = weights;

    /// <param name="weights">Shapes by the layers' own names.</param>
    /// <returns>The network for images of unknown size, 0; null where the weights are of no PixelCNN++.</returns>
    public static NetworkShape? Infer(IReadOnlyDictionary<string, long[]> weights) => new ShapeInference(weights).Infer();

    private NetworkShape? Infer()
    {
        int filters = Most(
            Sides(0, "u_init", "ul_init.", "downsize.", "up.0.", "up.1.", "up.2.").Where(
                pair => !pair.Layer.EndsWith(".conv_out", StringComparison.Ordinal)));
        int blocks = Most(_weights.Keys.Where(name => name.StartsWith("up.", StringComparison.Ordinal)).Select(name => name.Split('.'))
            .Where(name => name is [_, _, _, _, "conv_in" or "conv_out"]).GroupBy(name => (name[1], name[2], name[4]))
            .Select(group => (group.Key.Item3, (long)group.Count())));
        if (filters == 0 || blocks == 0)
            return null;

        bool energy = _weights.Keys.Any(name => name.StartsWith("energy.", StringComparison.Ordinal));
        int outputs = Most(energy ? Sides(0, "energy.out") : Sides(0, "out"));
        (int channels, bool coordinates) = (Most(Sides(1, "u_init", "ul_init.")), outputs) switch
        {
            (4, 1) => (1, true),
            (4, var logits) when !energy && logits % 10 != 0 => (1, true),
            (4, _) => (3, false),
            (6, _) => (3, true),
            _ => (1, false),
        };
        int mixtures = energy || outputs == 0 ? new RunSpec().Model.Mixtures : Math.Max(1, outputs / (channels == 1 ? 3 : 10));
        int activated = Most(
            _weights.Where(pair => pair.Key.EndsWith(".conv_in", StringComparison.Ordinal) && pair.Value.Length == 4)
                .Select(pair => (pair.Key, pair.Value[1])));
        return new()
        {
            Channels = channels,
            Size = 0,
            Classes = Most(_weights.Where(pair => pair.Key.EndsWith(".class", StringComparison.Ordinal) && pair.Value.Length == 2)
                .Select(pair => (pair.Key, pair.Value[0]))),
            Blocks = blocks,
            Filters = filters,
            Mixtures = mixtures,
            Nonlinearity = activated == filters ? Nonlinearity.Elu : Nonlinearity.ConcatElu,
            Dropout = new RunSpec().Model.Dropout,
            CoordinateChannels = coordinates,
            NonLocal = _weights.Keys.Any(name => name.StartsWith("non_local.", StringComparison.Ordinal)),
            EnergyDistance = energy,
        };
    }

    /// <summary>One side of the weights of layers whose names begin so.</summary>
    private IEnumerable<(string Layer, long Side)> Sides(int dimension, params string[] starts) => _weights
        .Where(pair => pair.Value.Length > dimension && starts.Any(start => pair.Key.StartsWith(start, StringComparison.Ordinal)))
        .Select(pair => (pair.Key, pair.Value[dimension]));

    /// <summary>The most frequent number; 0 where nothing says any.</summary>
    private static int Most(IEnumerable<(string Layer, long Number)> votes) => votes.Where(vote => vote.Number is > 0 and < 1 << 20)
        .GroupBy(vote => (int)vote.Number).OrderByDescending(group => group.Count()).ThenBy(group => group.Key).FirstOrDefault()?.Key ?? 0;
}
