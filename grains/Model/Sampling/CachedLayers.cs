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
    private readonly ShiftedConvolution layer;
    private readonly RowCache input;
    private readonly RowCache start;
    private readonly Matrix? above;
    private readonly Matrix own;
    private readonly bool activate;

    /// <param name="inputGroups">Groups in which the input's channels come, <paramref name="outputGroups"/> alike.</param>
    /// <param name="bias">[out] or [N, out]; the layer's own if null.</param>
    /// <param name="activate">A column is activated when it has been advanced to.</param>
    public CachedConvolution(
        RowAllocator space, ShiftedConvolution layer, RowCache input, RowCache output, int inputGroups = 1, int outputGroups = 1, Tensor? bias = null, bool activate = false)
    {
        (this.layer, this.input, Output, this.activate) = (layer, input, output, activate);
        Tensor weights = layer.Weights.Weight(space.Parameters);
        start = space.Start(bias ?? space.Parameters[layer.Weights.Bias], outputGroups);
        above = layer.Reach.Height == 1 ? null : space.Matrix(weights.select(2, 0), inputGroups, outputGroups);
        own = space.Matrix(weights.select(2, layer.Reach.Height - 1), inputGroups, outputGroups);
    }

    public RowCache Output { get; }

    public void BeginRow(int row)
    {
        Output.Fill(start);
        if (above is not null)
            Output.AddProduct(above, input, Inputs(0, Output.Width), Output.All);
    }

    public void Advance(int first, int count) => Output.AddProduct(own, input, Inputs(first, count), new(first, count), activate);

    /// <summary>Where the filters begin.</summary>
    private Columns Inputs(int first, int count) => new((layer.Stride * first) - layer.Padding.Left, count, layer.Stride);
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

/// <summary>A gated block of either stream.</summary>
internal sealed class CachedBlock : ICachedLayer
{
    private readonly RowCache input;
    private readonly RowCache output;
    private readonly RowCache hidden;
    private readonly RowCache gated;
    private readonly CachedConvolution first;
    private readonly CachedConvolution second;
    private readonly Shortcut? vertical;
    private readonly Shortcut? across;

    /// <param name="vertical">For the horizontal stream: the vertical stream's row, known when the row begins.</param>
    /// <param name="across">On the way down: the same stream's row on the way up.</param>
    public CachedBlock(RowAllocator space, GatedBlock block, int filters, Tensor? labels, RowCache input, RowCache output, RowCache? vertical, RowCache? across)
    {
        (this.input, this.output) = (input, output);
        hidden = space.ActivatedRows(input.Width, filters);
        gated = space.Rows(input.Width, filters, 2);

        Tensor firstBias = space.Parameters[block.First.Weights.Bias], secondBias = space.Parameters[block.Second.Weights.Bias];
        if (block.Shortcut is { } shortcut)
        {
            firstBias = firstBias.Plus(space.Parameters[shortcut.Weights.Bias]);
            RowCache[] sources = [.. new[] { vertical, across }.OfType<RowCache>()];
            Tensor weights = shortcut.Weights.Weight(space.Parameters).view(filters, space.Expansion, sources.Length, filters);
            Shortcut From(RowCache source) => new(
                source.Activated!, space.Matrix(weights.select(2, Array.IndexOf(sources, source)).reshape(filters, -1, 1), space.Expansion));
            (this.vertical, this.across) = (vertical is null ? null : From(vertical), across is null ? null : From(across));
        }

        if (block.ClassBias is { } classBias)
            secondBias = secondBias.Plus(space.Parameters[classBias].index_select(0, labels!));
        first = new(space, block.First, input.Activated!, hidden, space.Expansion, bias: firstBias, activate: across is null);
        second = new(space, block.Second, hidden.Activated!, gated, space.Expansion, outputGroups: 2, bias: secondBias);
    }

    public void BeginRow(int row)
    {
        first.BeginRow(row);
        second.BeginRow(row);
        Add(vertical, 0, output.Width, activate: false);
    }

    public void Advance(int first, int count)
    {
        this.first.Advance(first, count);
        Add(across, first, count, activate: true);
        second.Advance(first, count);
        output.Gate(input, gated, first, count);
    }

    private void Add(Shortcut? shortcut, int first, int count, bool activate)
    {
        if (shortcut is not null)
            hidden.AddProduct(shortcut.Weights, shortcut.Source, new(first, count), new(first, count), activate);
    }

    /// <param name="Source">Activated.</param>
    private sealed record Shortcut(RowCache Source, Matrix Weights);
}

/// <summary>A transposed convolution, which takes the position's parity and the coarse pixels that reach there.</summary>
internal sealed class CachedUpsampling : ICachedLayer
{
    private readonly RowCache input;
    private readonly RowCache output;
    private readonly RowCache start;
    private readonly Matrix[][] weights;
    private int rowParity;

    public CachedUpsampling(RowAllocator space, ShiftedUpsampling layer, RowCache input, RowCache output)
    {
        (this.input, this.output) = (input, output);
        start = space.Start(space.Parameters[layer.Weights.Bias]);
        Tensor filters = layer.Weights.Weight(space.Parameters).transpose(0, 1);
        Matrix[] OfRow(Tensor row) => [space.Matrix(Taps(row, layer.Crop)), space.Matrix(Taps(row, 1 + layer.Crop))];
        weights = [OfRow(filters.select(2, 0)), OfRow(filters.select(2, 1))];
    }

    public void BeginRow(int row)
    {
        rowParity = row % 2;
        output.Fill(start);
    }

    public void Advance(int first, int count)
    {
        for (int column = first; column < first + Math.Min(2, count); column++)
        {
            int both = (first + count - column + 1) / 2;
            output.AddProduct(weights[rowParity][column % 2], input, new(column / 2, both), new(column, both, 2));
        }

        output.Activate(first, count);
    }

    /// <summary>Coarse pixel j reaches column 2 j + tap - crop: from the nearest on to the right, every other tap, last first.</summary>
    private static Tensor Taps(Tensor row, int nearest)
    {
        long[] taps = [.. Enumerable.Range(0, (nearest / 2) + 1).Select(i => (long)nearest - (2 * i))];
        return row.index_select(2, tensor(taps, device: row.device));
    }
}
