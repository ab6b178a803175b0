using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Tensors;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Sampling;

/// <summary>
/// A layer that is computed once per position. The vertical stream's layers advance by whole rows, the horizontal stream's pixel
/// by pixel.
/// </summary>
internal interface ICachedLayer
{
    /// <summary>Adds up what the row above contributes, which all of the layer's inputs still hold.</summary>
    /// <param name="row">At the layer's own scale.</param>
    void BeginRow(int row);

    /// <summary>Computes columns of the row from inputs that are known up to there, and activates them where others want that.</summary>
    void Advance(int first, int count);
}

/// <summary>A shifted convolution: the upper half of its filters is applied when a row begins, the lower half column by column.</summary>
internal sealed class CachedConvolution : ICachedLayer
{
    private readonly ShiftedConvolution _layer;
    private readonly RowCache _input;
    private readonly RowCache _start;
    private readonly Matrix? _above;
    private readonly Matrix _own;
    private readonly bool _activate;

    public CachedConvolution(RowAllocator space, ShiftedConvolution layer, RowCache input, RowCache output, Form form)
    {
        _layer = layer;
        _input = input;
        Output = output;
        _activate = form.Activate;
        Tensor weights = layer.Weights.Weight(space.Parameters);
        _start = space.Start(form.Bias ?? space.Parameters[layer.Weights.Bias], form.OutputGroups);
        _above = layer.Kernel.Height == 1 ? null : space.Matrix(weights.select(2, 0), form.InputGroups, form.OutputGroups);
        _own = space.Matrix(weights.select(2, layer.Kernel.Height - 1), form.InputGroups, form.OutputGroups);
    }

    public RowCache Output { get; }

    public void BeginRow(int row)
    {
        Output.Fill(_start);
        if (_above is not null)
            Output.AddProduct(_above, _input, Inputs(0, Output.Width), Output.All);
    }

    public void Advance(int first, int count) => Output.AddProduct(_own, _input, Inputs(first, count), new(first, count), _activate);

    /// <summary>Where the filters begin.</summary>
    private Columns Inputs(int first, int count) => new((_layer.Stride * first) - _layer.Padding.Left, count, _layer.Stride);

    /// <param name="InputGroups">Groups in which the input's channels come, <paramref name="OutputGroups"/> alike.</param>
    /// <param name="Bias">[out] or [N, out]; the layer's own if null.</param>
    /// <param name="Activate">A column is activated when it has been advanced to.</param>
    internal sealed record Form(int InputGroups = 1, int OutputGroups = 1, Tensor? Bias = null, bool Activate = false);
}

/// <summary>What the first layer of a stream sees of the rows above: the convolution's row before, zeros in the first.</summary>
internal sealed class CachedShiftDown(CachedConvolution convolution, RowCache output) : ICachedLayer
{
    public void BeginRow(int row)
    {
        // Before the first row the convolution has not begun and the image is zero, so zeros are what is copied.
        convolution.Advance(0, output.Width);
        output.Copy(convolution.Output, 0, output.Width);
        convolution.BeginRow(row);
    }

    public void Advance(int first, int count) => output.Activate(first, count);
}

/// <summary>The horizontal stream's first layer: the rows above, and the pixel to the left, of which the first column has none.</summary>
internal sealed class CachedFirstLeft(CachedShiftDown above, CachedConvolution left, RowCache output) : ICachedLayer
{
    public void BeginRow(int row)
    {
        above.BeginRow(row);
        left.BeginRow(row);
    }

    public void Advance(int first, int count)
    {
        if (first > 0)
        {
            left.Advance(first - 1, 1);
            output.Add(left.Output, first - 1, first);
        }

        output.Activate(first, 1);
    }
}

/// <param name="Vertical">For the horizontal stream: the vertical stream's row, known when the row begins.</param>
/// <param name="Across">In the down pass: the same stream's row of the up pass.</param>
internal sealed record BlockRows(RowCache Input, RowCache Output, RowCache? Vertical, RowCache? Across);

/// <summary>A gated block of either stream.</summary>
internal sealed class CachedBlock : ICachedLayer
{
    private readonly BlockRows _rows;
    private readonly RowCache _hidden;
    private readonly RowCache _gated;
    private readonly CachedConvolution _first;
    private readonly CachedConvolution _second;
    private readonly Shortcut? _vertical;
    private readonly Shortcut? _across;

    /// <param name="labels">int64 [N], or null for an unconditional network.</param>
    public CachedBlock(RowAllocator space, GatedBlock block, Tensor? labels, BlockRows rows)
    {
        (RowCache input, _, RowCache? vertical, RowCache? across) = _rows = rows;
        int filters = (int)space.Parameters[block.First.Weights.Bias].shape[0];
        _hidden = space.ActivatedRows(input.Width, filters);
        _gated = space.Rows(input.Width, filters, 2);

        Tensor firstBias = space.Parameters[block.First.Weights.Bias], secondBias = space.Parameters[block.Second.Weights.Bias];
        if (block.Shortcut is { } shortcut)
        {
            firstBias = firstBias.Plus(space.Parameters[shortcut.Weights.Bias]);
            RowCache[] sources = [.. new[] { vertical, across }.OfType<RowCache>()];
            Tensor weights = shortcut.Weights.Weight(space.Parameters).view(filters, space.Expansion, sources.Length, filters);
            Shortcut From(RowCache source) => new(
                source.Activated!,
                space.Matrix(weights.select(2, Array.IndexOf(sources, source)).reshape(filters, -1, 1), space.Expansion));
            (_vertical, _across) = (vertical is null ? null : From(vertical), across is null ? null : From(across));
        }

        if (block.ClassBias is { } classBias)
            secondBias = secondBias.Plus(space.Parameters[classBias].index_select(0, labels!));
        _first = new(space, block.First, input.Activated!, _hidden, new(space.Expansion, Bias: firstBias, Activate: across is null));
        _second = new(space, block.Second, _hidden.Activated!, _gated, new(space.Expansion, OutputGroups: 2, secondBias));
    }

    public void BeginRow(int row)
    {
        _first.BeginRow(row);
        _second.BeginRow(row);
        Add(_vertical, 0, _rows.Output.Width, activate: false);
    }

    public void Advance(int first, int count)
    {
        _first.Advance(first, count);
        Add(_across, first, count, activate: true);
        _second.Advance(first, count);
        _rows.Output.Gate(_rows.Input, _gated, first, count);
    }

    private void Add(Shortcut? shortcut, int first, int count, bool activate)
    {
        if (shortcut is not null)
            _hidden.AddProduct(shortcut.Weights, shortcut.Source, new(first, count), new(first, count), activate);
    }

    /// <param name="Source">Activated.</param>
    private sealed record Shortcut(RowCache Source, Matrix Weights);
}

/// <summary>A transposed convolution, which takes the position's parity and the coarse pixels that reach there.</summary>
internal sealed class CachedUpsampling : ICachedLayer
{
    private readonly RowCache _input;
    private readonly RowCache _output;
    private readonly RowCache _start;
    private readonly Matrix[][] _weights;
    private int _rowParity;

    public CachedUpsampling(RowAllocator space, ShiftedUpsampling layer, RowCache input, RowCache output)
    {
        (_input, _output) = (input, output);
        _start = space.Start(space.Parameters[layer.Weights.Bias]);
        Tensor filters = layer.Weights.Weight(space.Parameters).transpose(0, 1);
        Matrix[] OfRow(Tensor row) => [space.Matrix(Taps(row, layer.Crop)), space.Matrix(Taps(row, 1 + layer.Crop))];
        _weights = [OfRow(filters.select(2, 0)), OfRow(filters.select(2, 1))];
    }

    public void BeginRow(int row)
    {
        _rowParity = row % 2;
        _output.Fill(_start);
    }

    public void Advance(int first, int count)
    {
        for (int column = first; column < first + Math.Min(2, count); column++)
        {
            int both = (first + count - column + 1) / 2;
            _output.AddProduct(_weights[_rowParity][column % 2], _input, new(column / 2, both), new(column, both, 2));
        }

        _output.Activate(first, count);
    }

    /// <summary>Coarse pixel j reaches column 2 j + tap - crop: from the nearest on to the right, every other tap, last first.</summary>
    private static Tensor Taps(Tensor row, int nearest)
    {
        long[] taps = [.. Enumerable.Range(0, (nearest / 2) + 1).Select(i => (long)nearest - (2 * i))];
        return row.index_select(2, tensor(taps, device: row.device));
    }
}
