using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Sampling;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Reference;

/// <summary>
/// The whole network at its whole size, evaluated anew for each pixel: nothing of the last pixel's work is kept and no row is left
/// out. It is what a cached evaluation must agree with, and what its speed is measured against.
/// </summary>
internal sealed class WholeNetwork(PixelCnn network, Parameters parameters, Tensor? labels, int images) : IPixelNetwork
{
    private readonly Tensor _pixels = zeros(
        [images, network.Shape.Channels, network.Shape.Size, network.Shape.Size], device: parameters.Values.device)
        .DetachFromDisposeScope();
    private int _row;
    private int _column;

    public void BeginRow(int y) => _row = y;

    public void Evaluate(int x, ReadOnlySpan<float> noise, Span<float> output)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable none = no_grad();
        _column = x;
        var context = new ForwardContext(parameters) { Labels = labels };
        if (network.Shape.EnergyDistance)
        {
            EnergyHead head = network.Layers.Get<EnergyHead>("energy");
            Tensor features = At(ForwardPass.Activated(network.Features(new ForwardPass(network, context, _pixels))).permute(0, 3, 1, 2))
                .permute(0, 2, 3, 1);
            Tensor uniform = tensor(noise.ToArray(), [images, 1, 1, EnergyHead.NoiseChannels], device: _pixels.device);
            RowAllocator.Floats(head.Colours(context, head.Features.Forward(context, features), uniform)).CopyTo(output);
        }
        else
        {
            RowAllocator.Floats(At(network.Forward(context, _pixels))).CopyTo(output);
        }
    }

    public void Write(ReadOnlySpan<float> colours)
    {
        using DisposeScope scope = NewDisposeScope();
        At(_pixels).copy_(tensor(colours.ToArray(), [images, network.Shape.Channels, 1, 1]));
    }

    public void Dispose() => _pixels.Dispose();

    /// <summary>[N, C, H, W] to [N, C, 1, 1].</summary>
    private Tensor At(Tensor all) => all.narrow(2, _row, 1).narrow(3, _column, 1);
}
