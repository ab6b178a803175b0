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

    /// <summary>Computes columns of the row from inputs that are known up to there.</summary>
    void Advance(int first, int count);
}

/// <summary>A shifted convolution: the upper half of its filters is applied when a row begins, the lower half column by column.</summary>
internal sealed class CachedConvolution : ICachedLayer
{
    private readonly ShiftedConvolution layer;
    private readonly Rows input;
    private readonly Rows start;
    private readonly Matrix? above;
    private readonly Matrix own;

    /// <param name="inputGroups">Groups in which the input's channels come, <paramref name="outputGroups"/> alike.</param>
    /// <param name="bias">[out] or [N, out]; the layer's own if null.</param>
    public CachedConvolution(RowSpace space, ShiftedConvolution layer, Rows input, Rows output, int inputGroups = 1, int outputGroups = 1, Tensor? bias = null)
    {
        (this.layer, this.input, Output) = (layer, input, output);
        Tensor weights = layer.Weights.Weight(space.Parameters);
        start = space.Start(bias ?? space.Parameters[layer.Weights.Bias], outputGroups);
        above = layer.Reach.Height == 1 ? null : space.Matrix(weights.select(2, 0), inputGroups, outputGroups);
        own = space.Matrix(weights.select(2, layer.Reach.Height - 1), inputGroups, outputGroups);
    }

    public Rows Output { get; }

    public void BeginRow(int row)
    {
        Output.Fill(start);
        if (above is not null)
            Output.AddProduct(above, input, Inputs(0, Output.Width), Output.All);
    }

    public void Advance(int first, int count) => Output.AddProduct(own, input, Inputs(first, count), new(first, count));

    /// <summary>Where the filters begin.</summary>
    private Columns Inputs(int first, int count) => new((layer.Stride * first) - layer.Padding.Left, count, layer.Stride);
}

/// <summary>What the first layer of a stream sees of the rows above: the convolution's row before, zeros in the first.</summary>
internal sealed class CachedShiftDown(CachedConvolution convolution, Rows output) : ICachedLayer
{
    public void BeginRow(int row)
    {
        // Before the first row the convolution has not begun and the image is zero, so zeros are what is copied.
        convolution.Advance(0, output.Width);
        output.Copy(convolution.Output, 0, output.Width);
        convolution.BeginRow(row);
    }

    public void Advance(int first, int count)
    {
    }
}

/// <summary>The horizontal stream's first layer: the rows above, and the pixel to the left, of which the first column has none.</summary>
internal sealed class CachedFirstLeft(CachedShiftDown above, CachedConvolution left, Rows output) : ICachedLayer
{
    public void BeginRow(int row)
    {
        above.BeginRow(row);
        left.BeginRow(row);
    }

    public void Advance(int first, int count)
    {
        if (first == 0)
            return;
        left.Advance(first - 1, 1);
        output.Add(left.Output, first - 1, first);
    }
}

/// <summary>A gated block of either stream.</summary>
internal sealed class CachedBlock : ICachedLayer
{
    private readonly GatedBlock block;
    private readonly Rows input;
    private readonly Rows output;
    private readonly Rows activated;
    private readonly Rows hidden;
    private readonly Rows activatedHidden;
    private readonly Rows gated;
    private readonly CachedConvolution first;
    private readonly CachedConvolution second;
    private readonly Shortcut? vertical;
    private readonly Shortcut? across;

    /// <param name="vertical">For the horizontal stream: the vertical stream's row, known when the row begins.</param>
    /// <param name="across">On the way down: the same stream's row on the way up.</param>
    public CachedBlock(RowSpace space, GatedBlock block, int filters, Tensor? labels, Rows input, Rows output, Rows? vertical, Rows? across)
    {
        (this.block, this.input, this.output) = (block, input, output);
        int halves = block.Activation.Expansion;
        activated = space.Rows(input.Width, filters, halves);
        hidden = space.Rows(input.Width, filters);
        activatedHidden = space.Rows(input.Width, filters, halves);
        gated = space.Rows(input.Width, filters, 2);

        Tensor firstBias = space.Parameters[block.First.Weights.Bias], secondBias = space.Parameters[block.Second.Weights.Bias];
        if (block.Shortcut is { } shortcut)
        {
            firstBias = firstBias.Plus(space.Parameters[shortcut.Weights.Bias]);
            Rows[] sources = [.. new[] { vertical, across }.OfType<Rows>()];
            Tensor weights = shortcut.Weights.Weight(space.Parameters).view(filters, halves, sources.Length, filters);
            Shortcut From(Rows source) => new(
                source, space.Rows(source.Width, filters, halves),
                space.Matrix(weights.select(2, Array.IndexOf(sources, source)).reshape(filters, -1, 1), halves));
            (this.vertical, this.across) = (vertical is null ? null : From(vertical), across is null ? null : From(across));
        }

        if (block.ClassBias is { } classBias)
            secondBias = secondBias.Plus(space.Parameters[classBias].index_select(0, labels!));
        first = new(space, block.First, activated, hidden, halves, bias: firstBias);
        second = new(space, block.Second, activatedHidden, gated, halves, outputGroups: 2, bias: secondBias);
    }

    public void BeginRow(int row)
    {
        first.BeginRow(row);
        second.BeginRow(row);
        Add(vertical, 0, output.Width);
    }

    public void Advance(int first, int count)
    {
        activated.Activate(block.Activation.Nonlinearity, input, first, first, count);
        this.first.Advance(first, count);
        Add(across, first, count);
        activatedHidden.Activate(block.Activation.Nonlinearity, hidden, first, first, count);
        second.Advance(first, count);
        output.Gate(input, gated, first, count);
    }

    private void Add(Shortcut? shortcut, int first, int count)
    {
        if (shortcut is null)
            return;
        shortcut.Activated.Activate(block.Activation.Nonlinearity, shortcut.Source, first, first, count);
        hidden.AddProduct(shortcut.Weights, shortcut.Activated, new(first, count), new(first, count));
    }

    private sealed record Shortcut(Rows Source, Rows Activated, Matrix Weights);
}

/// <summary>A transposed convolution, which takes the position's parity and the coarse pixels that reach there.</summary>
internal sealed class CachedUpsampling : ICachedLayer
{
    private readonly Rows input;
    private readonly Rows output;
    private readonly Rows start;
    private readonly Matrix[][] weights;
    private int rowParity;

    public CachedUpsampling(RowSpace space, ShiftedUpsampling layer, Rows input, Rows output)
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
    }

    /// <summary>Coarse pixel j reaches column 2 j + tap - crop: from the nearest on to the right, every other tap, last first.</summary>
    private static Tensor Taps(Tensor row, int nearest)
    {
        long[] taps = [.. Enumerable.Range(0, (nearest / 2) + 1).Select(i => (long)nearest - (2 * i))];
        return row.index_select(2, tensor(taps, device: row.device));
    }
}
