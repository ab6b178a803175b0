using PixelCnnCluster.Model.Layers;

namespace PixelCnnCluster.Training.Weights;

/// <summary>
/// A layer's parameters in the flat vector: v, g and b of a weight-normalised layer, or the table [classes, 2 filters] of a block's class
/// biases alone.
/// </summary>
internal sealed record Layer(string Name, Slot Weight, Slot? Scale, Slot? Bias)
{
    /// <summary>The dimension of the weight that counts output filters, over which <see cref="Scale"/> runs.</summary>
    public int OutputDimension => Weight.FilterDimension;

    /// <summary>The layers in the layout's order.</summary>
    public static IReadOnlyList<Layer> Of(ParameterLayout layout) =>
        [.. layout.Slots.GroupBy(slot => slot.Name[..slot.Name.LastIndexOf('.')]).Select(group => group.ToArray() switch
        {
            [var weight, var scale, var bias] => new Layer(group.Key, weight, scale, bias),
            [var table] => new Layer(group.Key, table, null, null),
            _ => throw new InvalidOperationException($"Layer {group.Key} is neither weight-normalised nor a table."),
        })];
}

internal static class SlotValues
{
    /// <summary>The slot's part of the flat vector.</summary>
    public static Span<float> Of(this Span<float> vector, Slot slot) => vector.Slice((int)slot.Offset, (int)slot.Length);
}
