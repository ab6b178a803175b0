using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Layers;

/// <summary>One named tensor inside the flat parameter vector.</summary>
public sealed record Slot(int Index, string Name, long[] Shape, long Offset)
{
    public long Length { get; } = Shape.Aggregate(1L, (product, side) => product * side);

    /// <summary>
    /// The dimension that counts a layer's output filters: a transposed convolution's is 1, that of [in, out, height, width].
    /// </summary>
    public int FilterDimension { get; init; }
}

/// <summary>
/// Where each parameter lies in the flat vector. Slots start on 64-byte boundaries, so that kernels see the same alignment in every
/// process.
/// </summary>
public sealed class ParameterLayout
{
    private const int Alignment = 16; // floats
    private readonly List<Slot> _slots = [];

    public IReadOnlyList<Slot> Slots => _slots;

    /// <summary>Length of the flat vector in floats, gaps included.</summary>
    public long Length { get; private set; }

    /// <summary>Parameters without gaps.</summary>
    public long Count => _slots.Sum(slot => slot.Length);

    internal Slot Add(string name, params long[] shape) => AddFilters(name, shape, filterDimension: 0);

    internal Slot AddFilters(string name, long[] shape, int filterDimension)
    {
        var slot = new Slot(_slots.Count, name, shape, Length) { FilterDimension = filterDimension };
        _slots.Add(slot);
        Length += (slot.Length + Alignment - 1) / Alignment * Alignment;
        return slot;
    }
}

/// <summary>
/// Parameter tensors as views of one flat vector [Length]. With a gradient vector they are leaves whose gradients
/// accumulate into views of it; without one they are constants.
/// </summary>
public sealed class Parameters : IDisposable
{
    private readonly Tensor[] _views;

    public Parameters(ParameterLayout layout, Tensor values, Tensor? gradient = null)
    {
        Values = values;
        Gradient = gradient;
        using DisposeScope scope = NewDisposeScope();
        _views = [.. layout.Slots.Select(slot => View(slot).DetachFromDisposeScope())];

        Tensor View(Slot slot)
        {
            Tensor view = values.narrow(0, slot.Offset, slot.Length).view(slot.Shape).detach();
            if (gradient is not null)
            {
                view.requires_grad_(true);
                view.grad = gradient.narrow(0, slot.Offset, slot.Length).view(slot.Shape);
            }

            return view;
        }
    }

    public Tensor Values { get; }

    public Tensor? Gradient { get; }

    public Tensor this[Slot slot] => _views[slot.Index];

    public void Dispose()
    {
        foreach (Tensor view in _views)
            view.Dispose();
    }
}
