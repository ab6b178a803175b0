using PixelCnnCluster.Model.Kernels;
using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Layers;

/// <summary>
/// Weights w = g v / |v| with a norm for each output filter, and data-dependent initialisation (Salimans and Kingma 2016,
/// arXiv 1602.07868): the first batch sets g and b so that each filter's output has mean 0 and deviation <c>initialScale</c>.
/// </summary>
internal sealed class WeightNormalised
{
    private readonly int _outputDimension;
    private readonly double _initialScale;
    private readonly long[] _normDimensions;
    private readonly long[] _scaleShape;

    /// <param name="shape">Shape of v, which has one dimension for the output filters.</param>
    /// <param name="initialScale">0 makes the layer start as zero, whatever the data.</param>
    public WeightNormalised(ParameterLayout layout, string name, long[] shape, int outputDimension, double initialScale = 1)
    {
        _outputDimension = outputDimension;
        _initialScale = initialScale;
        _normDimensions = [.. Enumerable.Range(0, shape.Length).Where(d => d != outputDimension).Select(d => (long)d)];
        _scaleShape = [.. shape.Select((_, d) => d == outputDimension ? -1L : 1L)];
        Direction = layout.AddFilters(name + ".v", shape, outputDimension);
        Scale = layout.Add(name + ".g", shape[outputDimension]);
        Bias = layout.Add(name + ".b", shape[outputDimension]);
    }

    public Slot Direction { get; }

    public Slot Scale { get; }

    public Slot Bias { get; }

    /// <summary>
    /// Applies <paramref name="linear"/> (input, weight, bias) to [..., in]; outputs have their filters last. The weight is made in float32
    /// and then of the input's type.
    /// </summary>
    public Tensor Apply(ForwardContext context, Tensor input, Func<Tensor, Tensor, Tensor?, Tensor> linear)
    {
        if (context.Initialising)
            Initialise(context.Parameters, input, linear);
        using DisposeScope scope = NewDisposeScope();
        return linear(input, Weight(context.Parameters, input.dtype), context.Parameters[Bias].As(input.dtype)).MoveToOuterDisposeScope();
    }

    /// <summary>g v / |v|, in the shape of v.</summary>
    public Tensor Weight(Parameters parameters, ScalarType type = ScalarType.Float32)
    {
        Tensor direction = parameters[Direction], scale = parameters[Scale];
        return FusedWeight.Takes(direction, _outputDimension)
            ? FusedWeight.Apply(direction, scale, _outputDimension, type)
            : (direction * (scale / Norm(direction)).view(_scaleShape)).As(type);
    }

    private Tensor Norm(Tensor direction) => direction.Squared().sum(_normDimensions).sqrt();

    private void Initialise(Parameters parameters, Tensor input, Func<Tensor, Tensor, Tensor?, Tensor> linear)
    {
        Tensor direction = parameters[Direction];
        Tensor output = linear(input, direction / Norm(direction).view(_scaleShape), null).flatten(0, -2);
        Tensor mean = output.mean([0]);
        Tensor scale = output.var(0, unbiased: false).Plus(1e-8).rsqrt().Times(_initialScale);
        parameters[Scale].copy_(scale);
        parameters[Bias].copy_(-mean * scale);
    }
}
