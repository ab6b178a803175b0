using PixelCnnCluster.Model.Layers;

namespace PixelCnnCluster.Model;

/// <summary>Floating-point operations of the convolutions and 1x1 layers, counted from the layout.</summary>
internal static class OperationCount
{
    /// <summary>One image's forward pass; a multiply-add counts as two.</summary>
    public static long OfForward(ParameterLayout layout, NetworkShape shape) => layout.Slots
        .Where(slot => slot.Name.EndsWith(".v", StringComparison.Ordinal))
        .Sum(slot => 2 * slot.Length * Positions(slot.Name.Split('.'), shape.Size));

    /// <summary>
    /// Positions at which a layer's weights are applied: those of its stage's output, or for a transposed convolution of its input.
    /// </summary>
    private static long Positions(string[] name, int size)
    {
        int side = name[0] switch
        {
            "up" or "non_local" => size >> int.Parse(name[1], null),
            "downsize" => size >> (int.Parse(name[1], null) + 1),
            "down" or "upsize" => size >> (2 - int.Parse(name[1], null)),
            _ => size,
        };
        long positions = (long)side * side;

        // The head's layers behind the features work once per sample.
        return name[0] == "energy" && name[1] != "features" ? EnergyHead.Samples * positions : positions;
    }
}
