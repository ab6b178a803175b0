using PixelCnnCluster.Model.Kernels;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Tensors;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Sampling;

/// <summary>The non-local block with the keys and values of all positions so far.</summary>
internal sealed unsafe class CachedAttention : ICachedLayer
{
    private readonly RowAllocator _space;
    private readonly RowCache _input;
    private readonly RowCache _output;
    private readonly RowCache _mixed;
    private readonly RowCache _projected;
    private readonly Projection _query;
    private readonly Projection _key;
    private readonly Projection _value;
    private readonly Projection _project;
    private readonly int _embedded;
    private readonly int _length;
    private readonly float _scale;
    private readonly float[] _scores;

    /// <summary>
    /// [N, L / block, embedded, block] and [N, embedded / block, L, block], each image's like a <see cref="Matrix"/>; in a tensor [N, L,
    /// embedded].
    /// </summary>
    private readonly (float[]? Host, Tensor? Device) _keys;
    private readonly (float[]? Host, Tensor? Device) _values;
    private int _row;

    public CachedAttention(RowAllocator space, NonLocalBlock block, int filters, RowCache input, RowCache output)
    {
        (_space, _input, _output) = (space, input, output);
        _query = new(space, block.Query, block.Embedded);
        _key = new(space, block.Key, block.Embedded);
        _value = new(space, block.Value, block.Embedded);
        _project = new(space, block.Project, filters);
        _mixed = space.Rows(1, block.Embedded);
        _projected = _project.Output;
        _embedded = RowAllocator.Padded(block.Embedded);
        _length = RowAllocator.Padded(input.Width * input.Width);
        _scale = 1 / MathF.Sqrt(block.Embedded);
        _scores = new float[_length];
        _keys = space.Memory(_length, _embedded);
        _values = space.Memory(_length, _embedded);
    }

    public void BeginRow(int row) => _row = row;

    public void Advance(int first, int count)
    {
        Columns column = new(first, 1);
        _query.Apply(_input, column);
        _key.Apply(_input, column);
        _value.Apply(_input, column);
        int position = (_row * _input.Width) + first;
        if (_keys.Device is null)
        {
            for (int n = 0; n < _space.Images; n++)
                Attend(n, position);
        }
        else
        {
            Attend(_keys.Device, _values.Device!, position);
        }

        _project.Apply(_mixed, _mixed.All);
        _output.Copy(_input, first, 1);
        _output.Add(_projected, 0, first);
        _output.Activate(first, 1);
    }

    private void Attend(int image, int position)
    {
        const int block = MatrixProduct.Block;
        Span<float> itsKeys = _keys.Host.AsSpan(image * _length * _embedded, _length * _embedded);
        Span<float> itsValues = _values.Host.AsSpan(image * _length * _embedded, _length * _embedded);
        Span<float> newKey = _key.Output.Host(image, 0, 1), newValue = _value.Output.Host(image, 0, 1), result = _mixed.Host(image, 0, 1);
        for (int i = 0; i < _embedded; i++)
            itsKeys[(((position / block * _embedded) + i) * block) + (position % block)] = newKey[i];
        for (int at = 0; at < _embedded; at += block)
            newValue.Slice(at, block).CopyTo(itsValues[((at * _length) + (position * block))..]);
        result.Clear();
        _scores.AsSpan(0, (position / block * block) + block).Clear();
        fixed (float* q = _query.Output.Host(image, 0, 1), k = itsKeys, v = itsValues, weights = _scores, y = result)
        {
            MatrixProduct.Add(q, 0, k, _embedded, _embedded * block, (position / block) + 1, weights, 0, rows: 1);
            Softmax(_scores.AsSpan(0, position + 1));
            MatrixProduct.Add(weights, 0, v, position + 1, _length * block, _embedded / block, y, 0, rows: 1);
        }
    }

    private void Softmax(Span<float> affinities)
    {
        float greatest = float.NegativeInfinity, sum = 0;
        foreach (float affinity in affinities)
            greatest = MathF.Max(greatest, affinity);
        foreach (ref float affinity in affinities)
            sum += affinity = MathF.Exp((affinity - greatest) * _scale);
        foreach (ref float affinity in affinities)
            affinity /= sum;
    }

    private void Attend(Tensor keys, Tensor values, int position)
    {
        keys.narrow(1, position, 1).copy_(_key.Output.View(0));
        values.narrow(1, position, 1).copy_(_value.Output.View(0));
        Tensor affinities = _query.Output.View(0).matmul(keys.narrow(1, 0, position + 1).transpose(1, 2)).Times(_scale);
        _mixed.View(0).copy_(affinities.softmax(-1).matmul(values.narrow(1, 0, position + 1)));
    }
}

/// <summary>A pointwise layer at one position.</summary>
internal sealed class Projection
{
    private readonly RowCache _start;
    private readonly Matrix _weights;

    /// <param name="inputGroups">Groups in which the input's channels come.</param>
    public Projection(RowAllocator space, Pointwise layer, int outputs, int inputGroups = 1)
    {
        _start = space.Start(space.Parameters[layer.Weights.Bias]);
        _weights = space.Matrix(layer.Weights.Weight(space.Parameters).unsqueeze(-1), inputGroups);
        Output = space.Rows(1, outputs);
    }

    /// <summary>One column.</summary>
    public RowCache Output { get; }

    public void Apply(RowCache input, Columns column)
    {
        Output.Fill(_start);
        Output.AddProduct(_weights, input, column, Output.All);
    }
}
