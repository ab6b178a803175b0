using PixelCnnCluster.Model.Layers;

namespace PixelCnnCluster.Model;

/// <summary>
/// Interpreter that counts the floating-point operations of the convolutions and 1x1 layers in one image's forward pass. A multiply-add
/// counts as two. A value is the side of what flows, in pixels.
/// </summary>
internal sealed class OperationCount : INetworkOperations<OperationCount.Side>
{
    private readonly PixelCnn _network;
    private long _operations, _blockPositions;

    private OperationCount(PixelCnn network) => _network = network;

    /// <returns>The operations, and the positions at which all gated blocks together are computed.</returns>
    public static (long Operations, long BlockPositions) OfForward(PixelCnn network)
    {
        var count = new OperationCount(network);
        network.Interpret(count);
        return (count._operations, count._blockPositions);
    }

    public Side Image() => new(_network.Shape.Size);

    public Side RowsAbove(string name, Side image) => Count(image, Convolution(name));

    public Side RowsAboveAndPixelToTheLeft(string above, string left, Side image) =>
        Count(image, Convolution(above), Convolution(left));

    public Side Downsample(string name, NetworkStream stream, Side input) =>
        Count(new(input.Pixels / 2), Convolution(name));

    public Side Upsample(string name, NetworkStream stream, Side input)
    {
        // A transposed convolution applies its weights at each position of its input.
        Count(input, _network.Layers.Get<ShiftedUpsampling>(name).Weights);
        return new(2 * input.Pixels);
    }

    public Side Block(string name, NetworkStream stream, Side input, Side? vertical = null, Side? across = null)
    {
        _blockPositions += (long)input.Pixels * input.Pixels;
        GatedBlock block = _network.Layers.Get<GatedBlock>(name);
        if (block.Shortcut is { } shortcut)
            Count(input, shortcut.Weights);
        return Count(input, block.First.Weights, block.Second.Weights);
    }

    public Side Attention(string name, Side input)
    {
        NonLocalBlock block = _network.Layers.Get<NonLocalBlock>(name);
        return Count(input, block.Query.Weights, block.Key.Weights, block.Value.Weights, block.Project.Weights);
    }

    public Side BeginDownPass(Side horizontal) => horizontal;

    public Side MixtureHead(string name, Side features) => Count(features, _network.Layers.Get<Pointwise>(name).Weights);

    public Side EnergyHead(string name, Side features)
    {
        EnergyHead head = _network.Layers.Get<EnergyHead>(name);
        Count(features, head.Features.Weights);
        for (int sample = 0; sample < Model.Layers.EnergyHead.Samples; sample++)
            Count(features, head.Noise.Weights, head.Hidden.Weights, head.Colour.Weights);
        return features;
    }

    private WeightNormalised Convolution(string name) => _network.Layers.Get<ShiftedConvolution>(name).Weights;

    private Side Count(Side side, params WeightNormalised[] layers)
    {
        _operations += layers.Sum(layer => 2 * layer.Direction.Length * side.Pixels * side.Pixels);
        return side;
    }

    internal sealed record Side(int Pixels);
}
