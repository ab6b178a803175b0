namespace PixelCnnCluster.Exchange;

/// <summary>The sum over shards [<paramref name="First"/>, <paramref name="End"/>): a node of the <see cref="ReductionTree"/>.</summary>
public readonly record struct ShardRange(int First, int End)
{
    public int Count => End - First;

    public bool Contains(ShardRange other) => First <= other.First && other.End <= End;

    /// <summary>
    /// Share of worker <paramref name="rank"/> of <paramref name="workers"/> in [0, <paramref name="count"/>): consecutive, and as even as
    /// can be.
    /// </summary>
    public static ShardRange ShareOf(int count, int rank, int workers) =>
        new((int)((long)count * rank / workers), (int)((long)count * (rank + 1) / workers));
}

/// <summary>
/// The one binary tree along which a step's shards are summed. Floating-point addition commutes but does not associate, so a
/// fixed tree gives the same bits whoever computes which shard and in whatever order the sums arrive.
/// </summary>
public sealed class ReductionTree(int shards)
{
    public ShardRange Root { get; } = new(0, shards);

    /// <summary>The node whose sum is this node's plus its sibling's; null for the root.</summary>
    public (ShardRange Parent, ShardRange Sibling)? Parent(ShardRange node)
    {
        for (ShardRange parent = Root; parent != node && parent.Count > 1;)
        {
            (ShardRange left, ShardRange right) = Children(parent);
            if (node == left || node == right)
                return (parent, node == left ? right : left);
            parent = left.Contains(node) ? left : right;
        }

        return null;
    }

    /// <summary>The fewest nodes that together cover a range.</summary>
    public IEnumerable<ShardRange> MinimalCover(ShardRange range)
    {
        var pending = new Stack<ShardRange>([Root]);
        while (pending.TryPop(out ShardRange node))
        {
            if (range.Contains(node))
            {
                yield return node;
            }
            else if (node.First < range.End && range.First < node.End)
            {
                (ShardRange left, ShardRange right) = Children(node);
                pending.Push(right);
                pending.Push(left);
            }
        }
    }

    /// <summary>The left child holds the largest power of two that leaves something for the right.</summary>
    private static (ShardRange Left, ShardRange Right) Children(ShardRange node)
    {
        int half = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)node.Count) / 2;
        return (node with { End = node.First + half }, node with { First = node.First + half });
    }
}
