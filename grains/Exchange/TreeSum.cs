using System.Numerics.Tensors;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Exchange;

/// <summary>
/// Sums vectors along the <see cref="ReductionTree"/> as they come, in any order. What has no sibling yet waits in
/// <see cref="Sums"/>. Safe to add to from several threads.
/// </summary>
/// <param name="pool">Where vectors go that have been added to their siblings, if they came from there.</param>
/// <param name="wire">With <see cref="WireFormat.Bf16"/> each node's sum is rounded, so that it is the same whether or not it was
/// sent.</param>
public sealed class TreeSum(ReductionTree tree, VectorPool pool, WireFormat wire)
{
    private readonly Dictionary<ShardRange, Sum> _sums = [];

    /// <summary>Nodes that are summed and whose siblings have not come.</summary>
    public IEnumerable<(ShardRange Node, Memory<float> Vector)> Sums => _sums.Select(pair => (pair.Key, pair.Value.Vector));

    /// <summary>Whether a node's sum, or that of a node which it is part of, is here.</summary>
    public bool Has(ShardRange node) => _sums.Keys.Any(sum => sum.Contains(node));

    /// <summary>Adds the sum of a node. The vector becomes this object's own.</summary>
    /// <param name="isPooled">It goes back to the pool when it is not needed any more. Of two vectors the sum is made in one that does
    /// not.</param>
    public void Add(ShardRange node, Memory<float> vector, bool isPooled = true)
    {
        var sum = new Sum(vector, isPooled);
        Round(sum);
        while (true)
        {
            Sum sibling;
            ShardRange parent;
            lock (_sums)
            {
                if (tree.Parent(node) is not { } above || !_sums.Remove(above.Sibling, out sibling))
                {
                    _sums.Add(node, sum);
                    return;
                }

                parent = above.Parent;
            }

            (Sum kept, Sum freed) = sum.IsPooled ? (sibling, sum) : (sum, sibling);
            TensorPrimitives.Add(kept.Vector.Span, freed.Vector.Span, kept.Vector.Span);
            Round(kept);
            if (freed.IsPooled)
                pool.Return(freed.Vector);
            (node, sum) = (parent, kept);
        }
    }

    /// <summary>The sum over all shards, once every one has come.</summary>
    public bool TryGetTotal(out Memory<float> total)
    {
        bool isWhole = _sums.TryGetValue(tree.Root, out Sum sum);
        total = sum.Vector;
        return isWhole;
    }

    /// <summary>Gives back what is left.</summary>
    public void Clear()
    {
        foreach (Sum sum in _sums.Values.Where(sum => sum.IsPooled))
            pool.Return(sum.Vector);
        _sums.Clear();
    }

    private void Round(Sum sum)
    {
        if (wire == WireFormat.Bf16)
            Bf16.Round(sum.Vector.Span);
    }

    private readonly record struct Sum(Memory<float> Vector, bool IsPooled);
}
