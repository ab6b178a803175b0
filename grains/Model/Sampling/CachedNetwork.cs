using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Kernels;
using PixelCnnCluster.Model.Kernels.Gpu;
using PixelCnnCluster.Model.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Sampling;

/// <summary>
/// The network with every layer computed once per position: the vertical stream a row at a time, since it sees only the rows
/// above, the horizontal stream a pixel at a time; the smaller stages where their scale has a position. Work grows with the
/// number of pixels, where evaluating the network anew for each pixel grows with its square. One cached network serves one sampling.
/// </summary>
public sealed class CachedNetwork : IPixelNetwork
{
    private readonly NetworkShape _shape;
    private readonly RowAllocator _space;
    private readonly RowCache _image;
    private readonly RowCache _features;
    private readonly ICachedHead _head;
    private readonly List<(int Stage, ICachedLayer Layer)> _vertical = [];
    private readonly List<(int Stage, ICachedLayer Layer)> _horizontal = [];
    private readonly Device _device;
    private readonly bool _makesTensors;
    private readonly int _planes;
    private readonly float[] _pixel;
    private int _row;
    private int _column;

    /// <param name="labels">int64 [N], or null for an unconditional network.</param>
    public CachedNetwork(PixelCnn network, Parameters parameters, Tensor? labels, int images)
        : this(network, parameters, labels, images, parameters.Values.device_type == DeviceType.CPU ? null
            : GpuKernels.Of(parameters.Values))
    {
    }

    /// <param name="kernels">Null computes on the host, with <see cref="RowKernels"/> and <see cref="MatrixProduct"/>.</param>
    internal CachedNetwork(PixelCnn network, Parameters parameters, Tensor? labels, int images, KernelLibrary? kernels)
    {
        using var scope = NewDisposeScope();
        using var none = no_grad();
        _device = parameters.Values.device;
        _makesTensors = kernels is not null;
        _shape = network.Shape;
        _space = new(parameters, images, new Activation(_shape.Nonlinearity, _shape.Dropout), kernels);
        _planes = _shape.Channels + 1 + (_shape.CoordinateChannels ? 2 : 0);
        _pixel = new float[images * _planes];
        _image = _space.Rows(_shape.Size, _planes);
        _features = Follow(network, labels);
        _head = network.EnergyHead is { } energy ? new CachedEnergyHead(_space, energy, _shape)
            : new CachedMixtureHead(_space, network.Output!, _shape);
    }

    public void BeginRow(int y)
    {
        using var scope = NewDisposeScope();
        using var none = no_grad();
        ProductRounding.Set(Precision.Float32, _device);
        _row = y;

        // From the end: every layer takes from its inputs what the row above left there before they begin the new one.
        foreach ((int stage, ICachedLayer layer) in Due(_vertical, y).Reverse())
            layer.BeginRow(y >> stage);
        foreach ((int stage, ICachedLayer layer) in Due(_vertical, y))
            layer.Advance(0, _shape.Size >> stage);
        foreach ((int stage, ICachedLayer layer) in Due(_horizontal, y).Reverse())
            layer.BeginRow(y >> stage);
    }

    public void Evaluate(int x, ReadOnlySpan<float> noise, Span<float> output)
    {
        using var scope = _makesTensors ? NewDisposeScope() : null;
        using var none = no_grad();
        _column = x;
        foreach ((int stage, ICachedLayer layer) in Due(_horizontal, _row | x))
            layer.Advance(x >> stage, 1);
        _head.Evaluate(_features, x, noise, output);
    }

    public void Write(ReadOnlySpan<float> colours)
    {
        for (int n = 0; n < _space.Images; n++)
        {
            Span<float> target = _pixel.AsSpan(n * _planes, _planes);
            colours.Slice(n * _shape.Channels, _shape.Channels).CopyTo(target);
            target[_shape.Channels] = 1;
            if (_shape.CoordinateChannels)
                (target[^2], target[^1]) = (PixelCnn.Coordinate(_column, _shape.Size), PixelCnn.Coordinate(_row, _shape.Size));
        }

        using var scope = NewDisposeScope();
        _image.Write(_column, _pixel);
    }

    public void Dispose() => _space.Dispose();

    /// <summary>Layers of the stages that have a position where these coordinates are.</summary>
    private static IEnumerable<(int Stage, ICachedLayer Layer)> Due(List<(int Stage, ICachedLayer Layer)> layers, int coordinates) =>
        layers.Where(each => (coordinates & ((1 << each.Stage) - 1)) == 0);

    /// <summary>Goes the way that <see cref="PixelCnn.Forward"/> goes, with rows in place of tensors.</summary>
    /// <returns>The horizontal stream's end.</returns>
    private RowCache Follow(PixelCnn network, Tensor? labels)
    {
        Stack<RowCache> us = new(), uls = new();
        us.Push(NewRows(0));
        _vertical.Add((0, ShiftDown(network.FirstAbove, us.Peek())));
        uls.Push(NewRows(0));
        var firstLeft = new CachedConvolution(_space, network.FirstLeft, _image, _space.Rows(_shape.Size, _shape.Filters));
        _horizontal.Add((0, new CachedFirstLeft(ShiftDown(network.FirstAboveForUl, uls.Peek()), firstLeft, uls.Peek())));
        for (int stage = 0; stage < PixelCnn.Stages; stage++)
        {
            if (stage > 0)
            {
                us.Push(Add(
                    _vertical, stage,
                    output => new CachedConvolution(_space, network.Downsize[stage - 1].U, us.Peek(), output, activate: true)));
                uls.Push(
                    Add(_horizontal, stage, output => new CachedConvolution(
                        _space, network.Downsize[stage - 1].Ul, uls.Peek(), output, activate: true)));
            }

            foreach ((GatedBlock blockU, GatedBlock blockUl) in network.Up[stage])
            {
                us.Push(Add(_vertical, stage, output => Block(blockU, us.Peek(), output, null, null)));
                uls.Push(Add(_horizontal, stage, output => Block(blockUl, uls.Peek(), output, us.Peek(), null)));
            }

            if (network.NonLocal[stage] is { } attention)
                uls.Push(Add(_horizontal, stage, output => new CachedAttention(_space, attention, _shape.Filters, uls.Pop(), output)));
        }

        RowCache u = us.Pop(), ul = uls.Pop();
        for (int down = 0; down < PixelCnn.Stages; down++)
        {
            int stage = PixelCnn.Stages - 1 - down;
            if (down > 0)
            {
                u = Add(_vertical, stage, output => new CachedUpsampling(_space, network.Upsize[down - 1].U, u, output));
                ul = Add(_horizontal, stage, output => new CachedUpsampling(_space, network.Upsize[down - 1].Ul, ul, output));
            }

            foreach ((GatedBlock blockU, GatedBlock blockUl) in network.Down[down])
            {
                u = Add(_vertical, stage, output => Block(blockU, u, output, null, us.Pop()));
                ul = Add(_horizontal, stage, output => Block(blockUl, ul, output, u, uls.Pop()));
            }
        }

        return ul;

        RowCache NewRows(int stage) => _space.ActivatedRows(_shape.Size >> stage, _shape.Filters);

        CachedShiftDown ShiftDown(ShiftedConvolution layer, RowCache output) =>
            new(new(_space, layer, _image, _space.Rows(_shape.Size, _shape.Filters)), output);

        CachedBlock Block(GatedBlock block, RowCache input, RowCache output, RowCache? aside, RowCache? across) =>
            new(_space, block, _shape.Filters, labels, input, output, aside, across);

        RowCache Add(List<(int Stage, ICachedLayer Layer)> stream, int stage, Func<RowCache, ICachedLayer> layer)
        {
            RowCache output = NewRows(stage);
            stream.Add((stage, layer(output)));
            return output;
        }
    }
}
