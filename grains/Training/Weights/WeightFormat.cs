using PixelCnnCluster.Training.Checkpoints;

namespace PixelCnnCluster.Training.Weights;

/// <summary>How a kind of file names and shapes the network's weights.</summary>
internal abstract class WeightFormat
{
    /// <summary>Weights of layers by the layers' own names, with which their shapes can be told before the network is known.</summary>
    public IReadOnlyDictionary<string, long[]> WeightShapes(IReadOnlyDictionary<string, SafeTensor> tensors)
    {
        var shapes = new Dictionary<string, long[]>();
        foreach ((string name, SafeTensor tensor) in tensors)
        {
            if (LayerOf(name) is { } layer)
                shapes[layer] = tensor.Shape;
        }

        return shapes;
    }

    /// <summary>Names and shapes of a layer's tensors.</summary>
    public abstract IReadOnlyList<(string Name, long[] Shape)> Tensors(Layer layer);

    /// <summary>Fills a layer's part of the flat parameter vector.</summary>
    /// <param name="values">As <see cref="Tensors"/> lists them.</param>
    /// <param name="parameters">Holds a fresh network, whose directions stay where a filter has none.</param>
    public abstract void Read(Layer layer, float[][] values, Span<float> parameters);

    /// <summary>Values as <see cref="Tensors"/> lists them.</summary>
    public abstract float[][] Write(Layer layer, Span<float> parameters);

    /// <summary>The layer whose weight the tensor has the shape of; null for any other tensor.</summary>
    protected abstract string? LayerOf(string tensor);

    /// <summary>The name without its end; null where it ends otherwise.</summary>
    protected static string? Without(string end, string name) => name.EndsWith(end, StringComparison.Ordinal) ? name[..^end.Length] : null;
}

/// <summary>The network's own names and plain weights: `layer.weight` and `layer.bias`.</summary>
internal sealed class PlainFormat : WeightFormat
{
    public override IReadOnlyList<(string Name, long[] Shape)> Tensors(Layer layer)
    {
        (string, long[]) weight = (layer.Name + ".weight", layer.Weight.Shape);
        return layer.Bias is null ? [weight] : [weight, (layer.Name + ".bias", layer.Bias.Shape)];
    }

    public override void Read(Layer layer, float[][] values, Span<float> parameters)
    {
        if (layer.Scale is null)
        {
            values[0].CopyTo(parameters.Of(layer.Weight));
            return;
        }

        FilterNorms.Split(values[0], layer.Weight.Shape, layer.OutputDimension, parameters.Of(layer.Weight), parameters.Of(layer.Scale));
        values[1].CopyTo(parameters.Of(layer.Bias!));
    }

    public override float[][] Write(Layer layer, Span<float> parameters) => layer.Scale is null
        ? [parameters.Of(layer.Weight).ToArray()]
        :
        [
            FilterNorms.Weight(parameters.Of(layer.Weight), parameters.Of(layer.Scale), layer.Weight.Shape, layer.OutputDimension),
            parameters.Of(layer.Bias!).ToArray(),
        ];

    protected override string? LayerOf(string tensor) => Without(".weight", tensor);
}

/// <summary>
/// The PyTorch port's names, and PyTorch's weight normalisation, whose norm runs over all dimensions but the first. An ordinary layer's v
/// and g are the same here and there; a transposed convolution has a norm for each input there and for each output here, so of it only
/// w = g v / |v| is kept.
/// </summary>
internal sealed class PortFormat : WeightFormat
{
    public override IReadOnlyList<(string Name, long[] Shape)> Tensors(Layer layer)
    {
        string name = LayerNames.ToPort(layer.Name);
        long[] shape = layer.Weight.Shape;
        return [(name + ".bias", layer.Bias!.Shape), (name + ".weight_g", [shape[0], .. shape.Skip(1).Select(_ => 1L)]),
            (name + ".weight_v", shape)];
    }

    public override void Read(Layer layer, float[][] values, Span<float> parameters)
    {
        (float[] bias, float[] g, float[] v) = (values[0], values[1], values[2]);
        bias.CopyTo(parameters.Of(layer.Bias!));
        if (layer.OutputDimension == 0)
        {
            v.CopyTo(parameters.Of(layer.Weight));
            g.CopyTo(parameters.Of(layer.Scale!));
            return;
        }

        float[] w = FilterNorms.Weight(v, g, layer.Weight.Shape, 0);
        FilterNorms.Split(w, layer.Weight.Shape, layer.OutputDimension, parameters.Of(layer.Weight), parameters.Of(layer.Scale!));
    }

    public override float[][] Write(Layer layer, Span<float> parameters)
    {
        float[] bias = parameters.Of(layer.Bias!).ToArray();
        Span<float> v = parameters.Of(layer.Weight), g = parameters.Of(layer.Scale!);
        if (layer.OutputDimension == 0)
            return [bias, g.ToArray(), v.ToArray()];

        // An input without weights may point anywhere, but PyTorch divides by its norm.
        float[] direction = [.. Enumerable.Repeat(1f, v.Length)], scale = new float[layer.Weight.Shape[0]];
        FilterNorms.Split(FilterNorms.Weight(v, g, layer.Weight.Shape, layer.OutputDimension), layer.Weight.Shape, 0, direction, scale);
        return [bias, scale, direction];
    }

    protected override string? LayerOf(string tensor) => Without(".weight_v", tensor) is { } layer ? LayerNames.FromPort(layer) : null;
}
