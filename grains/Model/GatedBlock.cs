using static TorchSharp.torch;

namespace PixelCnnCluster.Model;

/// <summary>
/// Gated residual block (arXiv 1701.05517): x + a sigmoid(b), where (a, b) is a convolution of the activated convolution of
/// the activated x, to which a shortcut from elsewhere in the network and the image's class are added.
/// </summary>
internal sealed class GatedBlock
{
    private readonly Activation activation;
    private readonly ShiftedConvolution first;
    private readonly ShiftedConvolution second;
    private readonly Pointwise? shortcut;
    private readonly Slot? classBias;

    /// <param name="shortcutChannels">Channels of the shortcut's input; 0 for a block without.</param>
    public GatedBlock(ParameterLayout layout, string name, NetworkShape shape, Reach reach, int shortcutChannels)
    {
        activation = new Activation(shape.Nonlinearity, shape.Dropout);
        int activated = activation.Expansion * shape.Filters;
        first = new ShiftedConvolution(layout, name + ".conv_in", activated, shape.Filters, reach);
        if (shortcutChannels > 0)
            shortcut = new Pointwise(layout, name + ".skip", activation.Expansion * shortcutChannels, shape.Filters);
        second = new ShiftedConvolution(layout, name + ".conv_out", activated, 2 * shape.Filters, reach, initialScale: 0.1);
        if (shape.Classes > 0)
            classBias = layout.Add(name + ".class.w", shape.Classes, 2 * shape.Filters);
    }

    /// <summary>[N, H, W, filters] to the same; <paramref name="aside"/> is the shortcut's input [N, H, W, shortcut channels].</summary>
    public Tensor Forward(Pass pass, Tensor input, Tensor? aside = null)
    {
        Tensor hidden = first.ForwardPadded(pass, activation.Apply(pass, input, first.Padding));
        if (shortcut is not null)
            hidden = hidden.Plus(shortcut.Forward(pass, activation.Apply(pass, aside!, Padding.None)));
        Tensor gated = second.ForwardPadded(pass, activation.Apply(pass, hidden, second.Padding, mayDrop: true));
        if (classBias is not null)
            gated = gated.Plus(pass.Parameters[classBias].index_select(0, pass.Labels!).unsqueeze(1).unsqueeze(1));
        return FusedGate.Apply(input, gated);
    }
}
