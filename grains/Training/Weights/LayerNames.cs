using System.Text.RegularExpressions;

namespace PixelCnnCluster.Training.Weights;

/// <summary>
/// Names of the network's layers, and of the same layers in the common PyTorch port of PixelCNN++. Both count stages and blocks
/// alike, the down pass from the deepest stage, so an index stands in the same place of both names.
/// </summary>
internal static partial class LayerNames
{
    /// <summary>`#` stands for an index.</summary>
    private static readonly (string Own, string Port)[] Table =
    [
        ("u_init", "u_init.conv"),
        ("ul_init.#", "ul_init.#.conv"),
        ("up.#.u.#.conv_in", "up_layers.#.u_stream.#.conv_input.conv"),
        ("up.#.u.#.conv_out", "up_layers.#.u_stream.#.conv_out.conv"),
        ("up.#.ul.#.conv_in", "up_layers.#.ul_stream.#.conv_input.conv"),
        ("up.#.ul.#.skip", "up_layers.#.ul_stream.#.nin_skip.lin_a"),
        ("up.#.ul.#.conv_out", "up_layers.#.ul_stream.#.conv_out.conv"),
        ("downsize.#.u", "downsize_u_stream.#.conv"),
        ("downsize.#.ul", "downsize_ul_stream.#.conv"),
        ("upsize.#.u", "upsize_u_stream.#.deconv"),
        ("upsize.#.ul", "upsize_ul_stream.#.deconv"),
        ("down.#.u.#.conv_in", "down_layers.#.u_stream.#.conv_input.conv"),
        ("down.#.u.#.skip", "down_layers.#.u_stream.#.nin_skip.lin_a"),
        ("down.#.u.#.conv_out", "down_layers.#.u_stream.#.conv_out.conv"),
        ("down.#.ul.#.conv_in", "down_layers.#.ul_stream.#.conv_input.conv"),
        ("down.#.ul.#.skip", "down_layers.#.ul_stream.#.nin_skip.lin_a"),
        ("down.#.ul.#.conv_out", "down_layers.#.ul_stream.#.conv_out.conv"),
        ("out", "nin_out.lin_a"),
    ];

    private static readonly Dictionary<string, string> PortOfOwn = Table.ToDictionary(row => row.Own, row => row.Port);

    private static readonly Dictionary<string, string> OwnOfPort = Table.ToDictionary(row => row.Port, row => row.Own);

    /// <summary>The port's name of a layer that it has.</summary>
    public static string ToPort(string layer) =>
        Translate(layer, PortOfOwn) ?? throw new ArgumentException($"The port has no layer {layer}.", nameof(layer));

    /// <summary>The layer that the port calls so; null where there is none.</summary>
    public static string? FromPort(string name) => Translate(name, OwnOfPort);

    private static string? Translate(string name, Dictionary<string, string> patterns)
    {
        if (!patterns.TryGetValue(Index().Replace(name, "#"), out string? pattern))
            return null;
        var indices = new Queue<string>(Index().Matches(name).Select(match => match.Value));
        return string.Concat(pattern.Select(character => character == '#' ? indices.Dequeue() : character.ToString()));
    }

    [GeneratedRegex(@"(?<=\.)[0-9]+(?=\.|$)")]
    private static partial Regex Index();
}
