using System.Numerics.Tensors;

namespace PixelCnnCluster.Training;

/// <summary>
/// Sums vectors along the <see cref="ReductionTree"/> as they come, in any order. What has no sibling yet waits in
/// <see cref="Sums"/>. Safe to add to from several threads.
/// </summary>
public sealed class TreeSum(ReductionTree tree)
{
    private readonly Dictionary<ShardRange, float[]> sums = [];

    /// <summary>Nodes that are summed and whose siblings have not come.</summary>
    public IReadOnlyDictionary<ShardRange, float[]> Sums => sums;

    /// <summary>Adds the sum of a node. The vector becomes this object's own.</summary>
    public void Add(ShardRange node, float[] vector)
    {
        while (true)
        {
            float[]? siblings;
            ShardRange parent;
            lock (sums)
            {
                if (tree.Above(node) is not { } above || !sums.Remove(above.Sibling, out siblings))
                {
                    sums.Add(node, vector);
                    return;
                }

                parent = above.Parent;
            }

            TensorPrimitives.Add(vector, siblings, vector);
            node = parent;
        }
    }

    /// <summary>The sum over all shards, once every one has come.</summary>
    public bool TryGetTotal(out float[] total) => sums.TryGetValue(tree.Root, out total!);
}
