using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Sampling;

/// <summary>The non-local block with the keys and values of all positions so far.</summary>
internal sealed unsafe class CachedAttention : ICachedLayer
{
    private readonly RowAllocator space;
    private readonly RowCache input;
    private readonly RowCache output;
    private readonly RowCache mixed;
    private readonly RowCache projected;
    private readonly Projection query;
    private readonly Projection key;
    private readonly Projection value;
    private readonly Projection project;
    private readonly int embedded;
    private readonly int length;
    private readonly float scale;
    private readonly float[] scores;

    /// <summary>[N, L / block, embedded, block] and [N, embedded / block, L, block], each image's like a <see cref="Matrix"/>; in a tensor [N, L, embedded].</summary>
    private readonly (float[]? Host, Tensor? Device) keys;
    private readonly (float[]? Host, Tensor? Device) values;
    private int row;

    public CachedAttention(RowAllocator space, NonLocalBlock block, int filters, RowCache input, RowCache output)
    {
        (this.space, this.input, this.output) = (space, input, output);
        query = new(space, block.Query, block.Embedded);
        key = new(space, block.Key, block.Embedded);
        value = new(space, block.Value, block.Embedded);
        project = new(space, block.Project, filters);
        mixed = space.Rows(1, block.Embedded);
        projected = project.Output;
        embedded = RowAllocator.Padded(block.Embedded);
        length = RowAllocator.Padded(input.Width * input.Width);
        scale = 1 / MathF.Sqrt(block.Embedded);
        scores = new float[length];
        keys = space.Memory(length, embedded);
        values = space.Memory(length, embedded);
    }

    public void BeginRow(int row) => this.row = row;

    public void Advance(int first, int count)
    {
        Columns column = new(first, 1);
        query.Apply(input, column);
        key.Apply(input, column);
        value.Apply(input, column);
        int position = (row * input.Width) + first;
        if (keys.Device is null)
        {
            for (int n = 0; n < space.Images; n++)
                Attend(n, position);
        }
        else
        {
            Attend(keys.Device, values.Device!, position);
        }

        project.Apply(mixed, mixed.All);
        output.Copy(input, first, 1);
        output.Add(projected, 0, first);
        output.Activate(first, 1);
    }

    private void Attend(int image, int position)
    {
        const int block = MatrixProduct.Block;
        Span<float> itsKeys = keys.Host.AsSpan(image * length * embedded, length * embedded);
        Span<float> itsValues = values.Host.AsSpan(image * length * embedded, length * embedded);
        Span<float> newKey = key.Output.Host(image, 0, 1), newValue = value.Output.Host(image, 0, 1), result = mixed.Host(image, 0, 1);
        for (int i = 0; i < embedded; i++)
            itsKeys[(((position / block * embedded) + i) * block) + (position % block)] = newKey[i];
        for (int at = 0; at < embedded; at += block)
            newValue.Slice(at, block).CopyTo(itsValues[((at * length) + (position * block))..]);
        result.Clear();
        scores.AsSpan(0, (position / block * block) + block).Clear();
        fixed (float* q = query.Output.Host(image, 0, 1), k = itsKeys, v = itsValues, weights = scores, y = result)
        {
            MatrixProduct.Add(q, 0, k, embedded, embedded * block, (position / block) + 1, weights, 0, rows: 1);
            Softmax(scores.AsSpan(0, position + 1));
            MatrixProduct.Add(weights, 0, v, position + 1, length * block, embedded / block, y, 0, rows: 1);
        }
    }

    private void Softmax(Span<float> affinities)
    {
        float greatest = float.NegativeInfinity, sum = 0;
        foreach (float affinity in affinities)
            greatest = MathF.Max(greatest, affinity);
        foreach (ref float affinity in affinities)
            sum += affinity = MathF.Exp((affinity - greatest) * scale);
        foreach (ref float affinity in affinities)
            affinity /= sum;
    }

    private void Attend(Tensor keys, Tensor values, int position)
    {
        keys.narrow(1, position, 1).copy_(key.Output.View(0));
        values.narrow(1, position, 1).copy_(value.Output.View(0));
        Tensor affinities = query.Output.View(0).matmul(keys.narrow(1, 0, position + 1).transpose(1, 2)).Times(scale);
        mixed.View(0).copy_(affinities.softmax(-1).matmul(values.narrow(1, 0, position + 1)));
    }
}

/// <summary>A pointwise layer at one position.</summary>
internal sealed class Projection
{
    private readonly RowCache start;
    private readonly Matrix weights;

    /// <param name="inputGroups">Groups in which the input's channels come.</param>
    public Projection(RowAllocator space, Pointwise layer, int outputs, int inputGroups = 1)
    {
        start = space.Start(space.Parameters[layer.Weights.Bias]);
        weights = space.Matrix(layer.Weights.Weight(space.Parameters).unsqueeze(-1), inputGroups);
        Output = space.Rows(1, outputs);
    }

    /// <summary>One column.</summary>
    public RowCache Output { get; }

    public void Apply(RowCache input, Columns column)
    {
        Output.Fill(start);
        Output.AddProduct(weights, input, column, Output.All);
    }
}
