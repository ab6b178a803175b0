using PixelCnnCluster.Contracts;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Sampling;

/// <summary>
/// The network with every layer computed once per position: the vertical stream a row at a time, since it sees only the rows
/// above, the horizontal stream a pixel at a time; the smaller stages where their scale has a position. Work grows with the
/// number of pixels, where evaluating the network anew for each pixel grows with its square. One cached network serves one drawing.
/// </summary>
public sealed class CachedNetwork : IPixelNetwork
{
    private readonly NetworkShape shape;
    private readonly RowAllocator space;
    private readonly RowCache image;
    private readonly RowCache features;
    private readonly ICachedHead head;
    private readonly List<(int Stage, ICachedLayer Layer)> vertical = [];
    private readonly List<(int Stage, ICachedLayer Layer)> horizontal = [];
    private readonly Device device;
    private readonly bool makesTensors;
    private readonly int planes;
    private readonly float[] pixel;
    private int row;
    private int column;

    /// <param name="labels">int64 [N], or null for an unconditional network.</param>
    public CachedNetwork(PixelCnn network, Parameters parameters, Tensor? labels, int images)
        : this(network, parameters, labels, images, parameters.Values.device_type == DeviceType.CPU ? null : GpuKernels.Of(parameters.Values))
    {
    }

    /// <param name="kernels">Null computes on the host, with <see cref="RowKernels"/> and <see cref="MatrixProduct"/>.</param>
    internal CachedNetwork(PixelCnn network, Parameters parameters, Tensor? labels, int images, KernelLibrary? kernels)
    {
        using var scope = NewDisposeScope();
        using var none = no_grad();
        device = parameters.Values.device;
        makesTensors = kernels is not null;
        shape = network.Shape;
        space = new(parameters, images, new Activation(shape.Nonlinearity, shape.Dropout), kernels);
        planes = shape.Channels + 1 + (shape.CoordinateChannels ? 2 : 0);
        pixel = new float[images * planes];
        image = space.Rows(shape.Size, planes);
        features = Follow(network, labels);
        head = network.EnergyHead is { } energy ? new CachedEnergyHead(space, energy, shape) : new CachedMixtureHead(space, network.Output!, shape);
    }

    public void BeginRow(int y)
    {
        using var scope = NewDisposeScope();
        using var none = no_grad();
        ProductRounding.Set(Precision.Float32, device);
        row = y;

        // From the end: every layer takes from its inputs what the row above left there before they begin the new one.
        foreach ((int stage, ICachedLayer layer) in Due(vertical, y).Reverse())
            layer.BeginRow(y >> stage);
        foreach ((int stage, ICachedLayer layer) in Due(vertical, y))
            layer.Advance(0, shape.Size >> stage);
        foreach ((int stage, ICachedLayer layer) in Due(horizontal, y).Reverse())
            layer.BeginRow(y >> stage);
    }

    public void Evaluate(int x, ReadOnlySpan<float> noise, Span<float> output)
    {
        using var scope = makesTensors ? NewDisposeScope() : null;
        using var none = no_grad();
        column = x;
        foreach ((int stage, ICachedLayer layer) in Due(horizontal, row | x))
            layer.Advance(x >> stage, 1);
        head.Evaluate(features, x, noise, output);
    }

    public void Write(ReadOnlySpan<float> colours)
    {
        for (int n = 0; n < space.Images; n++)
        {
            Span<float> target = pixel.AsSpan(n * planes, planes);
            colours.Slice(n * shape.Channels, shape.Channels).CopyTo(target);
            target[shape.Channels] = 1;
            if (shape.CoordinateChannels)
                (target[^2], target[^1]) = (PixelCnn.Coordinate(column, shape.Size), PixelCnn.Coordinate(row, shape.Size));
        }

        using var scope = NewDisposeScope();
        image.Write(column, pixel);
    }

    public void Dispose() => space.Dispose();

    /// <summary>Layers of the stages that have a position where these coordinates are.</summary>
    private static IEnumerable<(int Stage, ICachedLayer Layer)> Due(List<(int Stage, ICachedLayer Layer)> layers, int coordinates) =>
        layers.Where(each => (coordinates & ((1 << each.Stage) - 1)) == 0);

    /// <summary>Goes the way that <see cref="PixelCnn.Forward"/> goes, with rows in place of tensors.</summary>
    /// <returns>The horizontal stream's end.</returns>
    private RowCache Follow(PixelCnn network, Tensor? labels)
    {
        Stack<RowCache> us = new(), uls = new();
        us.Push(NewRows(0));
        vertical.Add((0, ShiftDown(network.FirstAbove, us.Peek())));
        uls.Push(NewRows(0));
        var firstLeft = new CachedConvolution(space, network.FirstLeft, image, space.Rows(shape.Size, shape.Filters));
        horizontal.Add((0, new CachedFirstLeft(ShiftDown(network.FirstAboveForUl, uls.Peek()), firstLeft, uls.Peek())));
        for (int stage = 0; stage < PixelCnn.Stages; stage++)
        {
            if (stage > 0)
            {
                us.Push(Add(vertical, stage, output => new CachedConvolution(space, network.Downsize[stage - 1].U, us.Peek(), output, activate: true)));
                uls.Push(Add(horizontal, stage, output => new CachedConvolution(space, network.Downsize[stage - 1].Ul, uls.Peek(), output, activate: true)));
            }

            foreach ((GatedBlock blockU, GatedBlock blockUl) in network.Up[stage])
            {
                us.Push(Add(vertical, stage, output => Block(blockU, us.Peek(), output, null, null)));
                uls.Push(Add(horizontal, stage, output => Block(blockUl, uls.Peek(), output, us.Peek(), null)));
            }

            if (network.NonLocal[stage] is { } attention)
                uls.Push(Add(horizontal, stage, output => new CachedAttention(space, attention, shape.Filters, uls.Pop(), output)));
        }

        RowCache u = us.Pop(), ul = uls.Pop();
        for (int down = 0; down < PixelCnn.Stages; down++)
        {
            int stage = PixelCnn.Stages - 1 - down;
            if (down > 0)
            {
                u = Add(vertical, stage, output => new CachedUpsampling(space, network.Upsize[down - 1].U, u, output));
                ul = Add(horizontal, stage, output => new CachedUpsampling(space, network.Upsize[down - 1].Ul, ul, output));
            }

            foreach ((GatedBlock blockU, GatedBlock blockUl) in network.Down[down])
            {
                u = Add(vertical, stage, output => Block(blockU, u, output, null, us.Pop()));
                ul = Add(horizontal, stage, output => Block(blockUl, ul, output, u, uls.Pop()));
            }
        }

        return ul;

        RowCache NewRows(int stage) => space.ActivatedRows(shape.Size >> stage, shape.Filters);

        CachedShiftDown ShiftDown(ShiftedConvolution layer, RowCache output) => new(new(space, layer, image, space.Rows(shape.Size, shape.Filters)), output);

        CachedBlock Block(GatedBlock block, RowCache input, RowCache output, RowCache? aside, RowCache? across) =>
            new(space, block, shape.Filters, labels, input, output, aside, across);

        RowCache Add(List<(int Stage, ICachedLayer Layer)> stream, int stage, Func<RowCache, ICachedLayer> layer)
        {
            RowCache output = NewRows(stage);
            stream.Add((stage, layer(output)));
            return output;
        }
    }
}
