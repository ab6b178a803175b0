using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Sampling;

/// <summary>
/// The whole network at its whole size, evaluated anew for each pixel: nothing of the last pixel's work is kept and no row is left
/// out. It is what a cached evaluation must agree with, and what its speed is measured against.
/// </summary>
public sealed class WholeNetwork(PixelCnn network, Parameters parameters, Tensor? labels, int images) : IPixelNetwork
{
    private readonly Tensor pixels = zeros([images, network.Shape.Channels, network.Shape.Size, network.Shape.Size], device: parameters.Values.device)
        .DetachFromDisposeScope();
    private int row;
    private int column;

    public void BeginRow(int y) => row = y;

    public void Evaluate(int x, ReadOnlySpan<float> noise, Span<float> output)
    {
        using var scope = NewDisposeScope();
        using var none = no_grad();
        column = x;
        var pass = new ForwardContext(parameters) { Labels = labels };
        if (network.EnergyHead is { } head)
        {
            Tensor features = At(network.Features(pass, pixels).permute(0, 3, 1, 2)).permute(0, 2, 3, 1);
            Tensor uniform = tensor(noise.ToArray(), [images, 1, 1, EnergyHead.NoiseChannels], device: pixels.device);
            RowAllocator.Floats(head.Colours(pass, head.Features.Forward(pass, features), uniform)).CopyTo(output);
        }
        else
        {
            RowAllocator.Floats(At(network.Forward(pass, pixels))).CopyTo(output);
        }
    }

    public void Write(ReadOnlySpan<float> colours)
    {
        using var scope = NewDisposeScope();
        At(pixels).copy_(tensor(colours.ToArray(), [images, network.Shape.Channels, 1, 1]));
    }

    public void Dispose() => pixels.Dispose();

    /// <summary>[N, C, H, W] to [N, C, 1, 1].</summary>
    private Tensor At(Tensor all) => all.narrow(2, row, 1).narrow(3, column, 1);
}
