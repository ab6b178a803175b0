using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Kernels;
using PixelCnnCluster.Model.Kernels.Gpu;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Sampling;

/// <summary>Columns of a row: First, First + Step, ...</summary>
internal readonly record struct Columns(int First, int Count, int Step = 1);

/// <summary>
/// One row of one layer's values for all images, [N, 1 + W + 1, channels]: the column of zeros at either end is the padding that
/// filters see. Until a column is computed it holds the row above's. Channels are padded with zeros to whole blocks; every
/// operation keeps them zero.
/// </summary>
internal sealed unsafe class RowCache(long[] shape, float[]? host, (Tensor Tensor, KernelLibrary Kernels)? device)
{
    private readonly Tensor? _device = device?.Tensor;
    private readonly KernelLibrary? _kernels = device?.Kernels;
    private readonly int _images = (int)shape[0], _channels = (int)shape[2], _imageLength = (int)(shape[1] * shape[2]);

    public int Width { get; } = (int)shape[1] - 2;

    public Columns All => new(0, Width);

    /// <summary>
    /// What <see cref="Nonlinearity"/> makes of each column, where layers want that: written with the column, or by
    /// <see cref="Activate(int, int)"/>.
    /// </summary>
    public RowCache? Activated { get; init; }

    public Nonlinearity Nonlinearity { get; init; }

    /// <summary>Every column of an image becomes the only one of <paramref name="start"/>.</summary>
    public void Fill(RowCache start)
    {
        if (_kernels is not null)
        {
            Take(start, 0, step: 0, 0, Width, add: false);
            return;
        }

        for (int n = 0; n < _images; n++)
        {
            for (int x = 0; x < Width; x++)
                start.Host(n, 0, 1).CopyTo(Host(n, x, 1));
        }
    }

    public void Copy(RowCache source, int first, int count)
    {
        if (_kernels is not null)
        {
            Take(source, first, _channels, first, count, add: false);
            return;
        }

        for (int n = 0; n < _images; n++)
            source.Host(n, first, count).CopyTo(Host(n, first, count));
    }

    /// <summary>Column <paramref name="to"/> gains column <paramref name="from"/> of <paramref name="source"/>.</summary>
    public void Add(RowCache source, int from, int to)
    {
        if (_kernels is not null)
        {
            Take(source, from, _channels, to, count: 1, add: true);
            return;
        }

        for (int n = 0; n < _images; n++)
        {
            Span<float> target = Host(n, to, 1), addend = source.Host(n, from, 1);
            for (int c = 0; c < target.Length; c++)
                target[c] += addend[c];
        }
    }

    /// <summary>
    /// Each column of <paramref name="to"/> gains the product of the matrix with as many channels of <paramref name="input"/> as the
    /// matrix is high, from the column of <paramref name="from"/> on to the right.
    /// </summary>
    /// <param name="activate">Activates them, which then are side by side.</param>
    public void AddProduct(Matrix matrix, RowCache input, Columns from, Columns to, bool activate = false)
    {
        if (_kernels is not null)
        {
            // Tiles and threads as in Kernels.cu.
            (string kernel, int columnsOfTile, uint blockSize) = to.Count == 1 ? ("pixel_product", 8, 512u) : ("row_product", 16, 256u);
            int columns = _images * to.Count;
            _kernels.ForBlocks(
                kernel, ScalarType.Float32, (long)((columns + columnsOfTile - 1) / columnsOfTile) * ((matrix.Across + 31) / 32), blockSize,
                [input._device!, matrix.Device!, _device!, Target(activate)._device!],
                [(uint)columns, (uint)to.Count, (uint)matrix.Height, (uint)matrix.Across,
                    .. input.Place(from.First), (uint)(from.Step * input._channels), .. Place(to.First), (uint)(to.Step * _channels),
                    .. Target(activate).Place(to.First), activate ? Code(Nonlinearity) : 3]);
            return;
        }

        int blocks = matrix.Across / MatrixProduct.Block, matrixStep = matrix.Height * MatrixProduct.Block;
        fixed (float* x = input.Host(0, from.First, 1), weights = matrix.Host, y = Host(0, to.First, 1))
        {
            if (to.Count == 1)
            {
                MatrixProduct.Add(x, input._imageLength, weights, matrix.Height, matrixStep, blocks, y, _imageLength, _images);
            }
            else
            {
                for (long n = 0; n < _images; n++)
                {
                    MatrixProduct.Add(
                        x + (n * input._imageLength), from.Step * input._channels, weights, matrix.Height, matrixStep, blocks,
                        y + (n * _imageLength), to.Step * _channels, to.Count);
                }
            }
        }

        if (activate)
            Activate(to.First, to.Count);
    }

    /// <summary>Activates columns.</summary>
    public void Activate(int first, int count) => Activated!.Activate(Nonlinearity, this, first, first, count);

    /// <summary>
    /// Columns from <paramref name="to"/> on become the nonlinearity of those of <paramref name="source"/> from <paramref name="from"/> on.
    /// </summary>
    public void Activate(Nonlinearity nonlinearity, RowCache source, int from, int to, int count)
    {
        if (_kernels is not null)
        {
            _kernels.ForEach(
                "row_activate", ScalarType.Float32, (long)_images * count * source._channels, [source._device!, _device!],
                [(uint)(count * source._channels), (uint)source._channels, .. source.Place(from), .. Place(to), Code(nonlinearity)]);
            return;
        }

        for (int n = 0; n < _images; n++)
        {
            fixed (float* x = source.Host(n, from, count), y = Host(n, to, count))
                RowKernels.Activate(nonlinearity, x, y, source._channels, count);
        }
    }

    /// <summary>x + a sigmoid(b), where (a, b) are the halves of <paramref name="gated"/>'s channels; activated.</summary>
    public void Gate(RowCache input, RowCache gated, int first, int count)
    {
        if (_kernels is not null)
        {
            _kernels.ForEach(
                "row_gate", ScalarType.Float32, (long)_images * count * _channels,
                [input._device!, gated._device!, _device!, Activated!._device!],
                [(uint)(count * _channels), (uint)_channels, .. input.Place(first), .. gated.Place(first), .. Place(first),
                    .. Activated.Place(first), Code(Nonlinearity)]);
            return;
        }

        for (int n = 0; n < _images; n++)
        {
            fixed (float* x = input.Host(n, first, count), ab = gated.Host(n, first, count), y = Host(n, first, count))
                RowKernels.Gate(x, ab, y, _channels, count);
        }

        Activate(first, count);
    }

    /// <summary>Sets the first channels of one column of each image; <paramref name="values"/> [N, any number up to all].</summary>
    public void Write(int column, ReadOnlySpan<float> values)
    {
        int length = values.Length / _images;
        if (_device is not null)
        {
            View(column).narrow(2, 0, length).copy_(tensor(values.ToArray(), [_images, 1, length]));
            return;
        }

        for (int n = 0; n < _images; n++)
            values.Slice(n * length, length).CopyTo(Host(n, column, 1));
    }

    /// <summary>The first channels of one column of each image; <paramref name="values"/> as in <see cref="Write"/>.</summary>
    public void Read(int column, Span<float> values)
    {
        int length = values.Length / _images;
        if (_device is not null)
        {
            RowAllocator.Floats(View(column).narrow(2, 0, length)).CopyTo(values);
            return;
        }

        for (int n = 0; n < _images; n++)
            Host(n, column, 1)[..length].CopyTo(values[(n * length)..]);
    }

    /// <summary>Columns of one image, one after the other.</summary>
    public Span<float> Host(int image, int column, int count) =>
        host.AsSpan((image * _imageLength) + ((1 + column) * _channels), count * _channels);

    /// <summary>One column, [N, 1, channels].</summary>
    public Tensor View(int column) => _device!.narrow(1, 1 + column, 1);

    /// <summary>How far images are apart, and where a column begins, for kernels.</summary>
    private uint[] Place(int column) => [(uint)_imageLength, (uint)((1 + column) * _channels)];

    /// <summary>The kernels' number for a nonlinearity; that of none is 3.</summary>
    private static uint Code(Nonlinearity nonlinearity) =>
        nonlinearity switch { Nonlinearity.ConcatElu => 2, Nonlinearity.Elu => 1, _ => 0 };

    /// <summary>Where the kernels write activations; where they write none, anything.</summary>
    private RowCache Target(bool activate) => activate ? Activated! : this;

    private void Take(RowCache source, int from, int step, int to, int count, bool add) => _kernels!.ForEach(
        "row_copy", ScalarType.Float32, (long)_images * count * _channels, [source._device!, _device!],
        [(uint)(count * _channels), (uint)_channels, .. source.Place(from), (uint)step, .. Place(to), add ? 1u : 0u]);
}
