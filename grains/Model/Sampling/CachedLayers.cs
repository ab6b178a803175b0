using System.Numerics;
using PixelCnnCluster.Model.Layers;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Sampling;

/// <summary>
/// Interpreter that makes the cached layers of a network. A value is the rows that a layer writes; what the head returns are the
/// features' rows.
/// </summary>
/// <param name="labels">int64 [N], or null for an unconditional network.</param>
internal sealed class CachedLayers(PixelCnn network, RowAllocator space, RowCache image, Tensor? labels) : INetworkOperations<RowCache>
{
    private readonly NetworkShape _shape = network.Shape;
    private readonly List<(int Stage, ICachedLayer Layer)> _vertical = [];
    private readonly List<(int Stage, ICachedLayer Layer)> _horizontal = [];

    /// <summary>In the order of evaluation. Stage s is 2^s times smaller than the image.</summary>
    public IReadOnlyList<(int Stage, ICachedLayer Layer)> Vertical => _vertical;

    public IReadOnlyList<(int Stage, ICachedLayer Layer)> Horizontal => _horizontal;

    /// <summary>Null until the head is interpreted.</summary>
    public ICachedHead? Head { get; private set; }

    public RowCache Image() => image;

    public RowCache RowsAbove(string name, RowCache image) =>
        Add(NetworkStream.Vertical, image.Width, output => ShiftDown(name, image, output));

    public RowCache RowsAboveAndPixelToTheLeft(string above, string left, RowCache image) => Add(
        NetworkStream.Horizontal, image.Width,
        output => new CachedFirstLeft(
            ShiftDown(above, image, output), Convolution(left, image, space.Rows(image.Width, _shape.Filters)), output));

    public RowCache Downsample(string name, NetworkStream stream, RowCache input) =>
        Add(stream, input.Width / 2, output => Convolution(name, input, output, activate: true));

    public RowCache Upsample(string name, NetworkStream stream, RowCache input) => Add(
        stream, 2 * input.Width, output => new CachedUpsampling(space, network.Layers.Get<ShiftedUpsampling>(name), input, output));

    public RowCache Block(string name, NetworkStream stream, RowCache input, RowCache? vertical = null, RowCache? across = null) => Add(
        stream, input.Width,
        output => new CachedBlock(space, network.Layers.Get<GatedBlock>(name), labels, new(input, output, vertical, across)));

    public RowCache Attention(string name, RowCache input) => Add(
        NetworkStream.Horizontal, input.Width,
        output => new CachedAttention(space, network.Layers.Get<NonLocalBlock>(name), _shape.Filters, input, output));

    public RowCache BeginDownPass(RowCache horizontal) => horizontal;

    public RowCache MixtureHead(string name, RowCache features)
    {
        Head = new CachedMixtureHead(space, network.Layers.Get<Pointwise>(name), _shape);
        return features;
    }

    public RowCache EnergyHead(string name, RowCache features)
    {
        Head = new CachedEnergyHead(space, network.Layers.Get<EnergyHead>(name), _shape);
        return features;
    }

    private CachedConvolution Convolution(string name, RowCache input, RowCache output, bool activate = false) =>
        new(space, network.Layers.Get<ShiftedConvolution>(name), input, output, new(Activate: activate));

    private CachedShiftDown ShiftDown(string name, RowCache image, RowCache output) =>
        new(Convolution(name, image, space.Rows(image.Width, _shape.Filters)), output);

    private RowCache Add(NetworkStream stream, int width, Func<RowCache, ICachedLayer> layer)
    {
        RowCache output = space.ActivatedRows(width, _shape.Filters);
        (stream == NetworkStream.Vertical ? _vertical : _horizontal)
            .Add((BitOperations.Log2((uint)(_shape.Size / width)), layer(output)));
        return output;
    }
}
