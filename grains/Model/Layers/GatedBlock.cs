using PixelCnnCluster.Model.Kernels;
using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Layers;

/// <summary>
/// Gated residual block (arXiv 1701.05517): x + a sigmoid(b), where (a, b) is a convolution of the activated convolution of
/// the activated x, to which a shortcut from elsewhere in the network and the image's class are added.
/// </summary>
internal sealed class GatedBlock
{
    private readonly Activation _activation;

    /// <param name="shortcutChannels">Channels of the shortcut's input; 0 for a block without.</param>
    public GatedBlock(ParameterLayout layout, string name, NetworkShape shape, CausalKernel kernel, int shortcutChannels)
    {
        _activation = new Activation(shape.Nonlinearity, shape.Dropout);
        int activated = _activation.Expansion * shape.Filters;
        First = new ShiftedConvolution(layout, name + ".conv_in", activated, shape.Filters, kernel);
        if (shortcutChannels > 0)
            Shortcut = new Pointwise(layout, name + ".skip", _activation.Expansion * shortcutChannels, shape.Filters);
        Second = new ShiftedConvolution(layout, name + ".conv_out", activated, 2 * shape.Filters, kernel, initialScale: 0.1);
        if (shape.Classes > 0)
            ClassBias = layout.Add(name + ".class.w", shape.Classes, 2 * shape.Filters);
    }

    public ShiftedConvolution First { get; }

    public ShiftedConvolution Second { get; }

    public Pointwise? Shortcut { get; }

    /// <summary>[classes, 2 filters]; null for an unconditional network.</summary>
    public Slot? ClassBias { get; }

    /// <summary>[N, H, W, filters] to the same; <paramref name="aside"/> is the shortcut's input [N, H, W, shortcut channels].</summary>
    public Tensor Forward(ForwardContext context, Tensor input, Tensor? aside = null)
    {
        // What the backward pass needs it holds by itself; the rest is freed at once.
        using DisposeScope scope = NewDisposeScope();
        Tensor hidden = First.ForwardPadded(context, _activation.Apply(context, input, First.Padding));
        if (Shortcut is not null)
            hidden = hidden.Plus(Shortcut.Forward(context, _activation.Apply(context, aside!, ImagePadding.None)));
        Tensor gated = Second.ForwardPadded(context, _activation.Apply(context, hidden, Second.Padding, mayDrop: true));
        if (ClassBias is not null)
            gated = gated.Plus(context.Parameters[ClassBias].index_select(0, context.Labels!).As(gated.dtype).unsqueeze(1).unsqueeze(1));
        return FusedGate.Apply(input, gated).MoveToOuterDisposeScope();
    }
}
