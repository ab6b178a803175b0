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
    private readonly CachedLayers _layers;
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
        using DisposeScope scope = NewDisposeScope();
        using IDisposable none = no_grad();
        _device = parameters.Values.device;
        _makesTensors = kernels is not null;
        _shape = network.Shape;
        _space = new(parameters, images, new Activation(_shape.Nonlinearity, _shape.Dropout), kernels);
        _planes = _shape.Channels + 1 + (_shape.CoordinateChannels ? 2 : 0);
        _pixel = new float[images * _planes];
        _image = _space.Rows(_shape.Size, _planes);
        _layers = new(network, _space, _image, labels);
        _features = network.Interpret(_layers);
    }

    public void BeginRow(int y)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable none = no_grad();
        ProductRounding.Set(Precision.Float32, _device);
        _row = y;

        // From the end: every layer takes from its inputs what the row above left there before they begin the new one.
        foreach ((int stage, ICachedLayer layer) in Due(_layers.Vertical, y).Reverse())
            layer.BeginRow(y >> stage);
        foreach ((int stage, ICachedLayer layer) in Due(_layers.Vertical, y))
            layer.Advance(0, _shape.Size >> stage);
        foreach ((int stage, ICachedLayer layer) in Due(_layers.Horizontal, y).Reverse())
            layer.BeginRow(y >> stage);
    }

    public void Evaluate(int x, ReadOnlySpan<float> noise, Span<float> output)
    {
        using DisposeScope? scope = _makesTensors ? NewDisposeScope() : null;
        using IDisposable none = no_grad();
        _column = x;
        foreach ((int stage, ICachedLayer layer) in Due(_layers.Horizontal, _row | x))
            layer.Advance(x >> stage, 1);
        _layers.Head!.Evaluate(_features, x, noise, output);
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

        using DisposeScope scope = NewDisposeScope();
        _image.Write(_column, _pixel);
    }

    public void Dispose() => _space.Dispose();

    /// <summary>Layers of the stages that have a position where these coordinates are.</summary>
    private static IEnumerable<(int Stage, ICachedLayer Layer)> Due(IEnumerable<(int Stage, ICachedLayer Layer)> layers, int coordinates) =>
        layers.Where(each => (coordinates & ((1 << each.Stage) - 1)) == 0);
}
