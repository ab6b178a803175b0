using CsCheck;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Exchange.Tests;

/// <summary>One tree, one order of additions, whoever adds.</summary>
public sealed class ReductionTreeTests
{
    private const int MostShards = 17;

    [Fact]
    public void A_cover_is_exact_and_the_smallest_there_is()
    {
        for (int shards = 1; shards <= MostShards; shards++)
        {
            var tree = new ReductionTree(shards);
            ShardRange[] nodes = Nodes(tree, shards);
            for (int first = 0; first <= shards; first++)
            {
                for (int end = first; end <= shards; end++)
                {
                    ShardRange[] cover = [.. tree.MinimalCover(new(first, end))];
                    Assert.Equal(Enumerable.Range(first, end - first), cover.SelectMany(node => Enumerable.Range(node.First, node.Count)));
                    Assert.All(cover, node => Assert.Contains(node, nodes));
                    Assert.Equal(Smallest(nodes, first, end), cover.Length);
                }
            }
        }
    }

    [Fact]
    public void Every_node_but_the_root_has_a_sibling_with_which_it_makes_its_parent()
    {
        for (int shards = 1; shards <= MostShards; shards++)
        {
            var tree = new ReductionTree(shards);
            Assert.Null(tree.Parent(tree.Root));
            foreach (ShardRange node in Nodes(tree, shards).Where(node => node != tree.Root))
            {
                (ShardRange parent, ShardRange sibling) = tree.Parent(node)!.Value;
                Assert.Equal(parent.Count, node.Count + sibling.Count);
                Assert.True(node.End == sibling.First || sibling.End == node.First);
                Assert.Equal((parent, node), tree.Parent(sibling)!.Value);
            }
        }
    }

    [Fact]
    public void Shares_are_consecutive_and_even()
    {
        for (int shards = 1; shards <= MostShards; shards++)
        {
            var tree = new ReductionTree(shards);
            for (int workers = 1; workers <= shards; workers++)
            {
                ShardRange[] shares = [.. Enumerable.Range(0, workers).Select(rank => ShardRange.ShareOf(tree.Root.Count, rank, workers))];
                Assert.Equal(Enumerable.Range(0, shards), shares.SelectMany(share => Enumerable.Range(share.First, share.Count)));
                Assert.InRange(shares.Max(share => share.Count) - shares.Min(share => share.Count), 0, 1);
            }
        }
    }

    [Fact]
    public void The_total_has_the_same_bits_for_every_partition_and_order_of_arrival() =>
        Gen.Select(Gen.Int[1, MostShards], Gen.Int[1, 5], Gen.Int).Sample(
            (shards, workers, seed) =>
            {
                var tree = new ReductionTree(shards);
                float[][] vectors = Vectors.Random(shards, 9, seed);
                var random = new Random(seed);
                var worker = new TreeSum[workers];
                for (int w = 0; w < workers; w++)
                    worker[w] = new(tree, new(9), WireFormat.Float32);
                int[] order = [.. Enumerable.Range(0, shards)];
                random.Shuffle(order);
                foreach (int shard in order)
                    worker[random.Next(workers)].Add(new(shard, shard + 1), vectors[shard].ToArray());
                (ShardRange Node, Memory<float> Vector)[] sums = [.. worker.SelectMany(w => w.Sums)];
                random.Shuffle(sums);
                var total = new TreeSum(tree, new(9), WireFormat.Float32);
                foreach ((ShardRange node, Memory<float> sum) in sums)
                    total.Add(node, sum);
                Assert.True(total.TryGetTotal(out Memory<float> found));
                Assert.Equal(Vectors.Bits(Vectors.AlongTheTree(vectors)), Vectors.Bits(found.ToArray()));
            },
            iter: 500);

    [Fact]
    public void Plain_left_to_right_sums_would_depend_on_the_order()
    {
        float[][] vectors = Vectors.Random(8, 1000, 1);
        float[] forwards = new float[1000], backwards = new float[1000];
        for (int shard = 0; shard < 8; shard++)
        {
            for (int i = 0; i < 1000; i++)
            {
                forwards[i] += vectors[shard][i];
                backwards[i] += vectors[7 - shard][i];
            }
        }

        Assert.NotEqual(Vectors.Bits(forwards), Vectors.Bits(backwards));
        Assert.NotEqual(Vectors.Bits(forwards), Vectors.Bits(Vectors.AlongTheTree(vectors)));
    }

    [Fact]
    public void Several_threads_may_add_at_once()
    {
        const int Shards = 64;
        float[][] vectors = Vectors.Random(Shards, 50, 3);
        uint[] expected = Vectors.Bits(Vectors.AlongTheTree(vectors));
        for (int repeat = 0; repeat < 50; repeat++)
        {
            var sum = new TreeSum(new(Shards), new(50), WireFormat.Float32);
            Parallel.For(0, Shards, shard => sum.Add(new(shard, shard + 1), vectors[shard].ToArray()));
            Assert.True(sum.TryGetTotal(out Memory<float> total));
            Assert.Equal(expected, Vectors.Bits(total.ToArray()));
        }
    }

    [Fact]
    public void There_is_no_total_before_every_shard_has_come()
    {
        var sum = new TreeSum(new(5), new(1), WireFormat.Float32);
        foreach (int shard in new[] { 4, 0, 3, 1 })
        {
            sum.Add(new(shard, shard + 1), new float[] { shard });
            Assert.False(sum.TryGetTotal(out _));
        }

        sum.Add(new(2, 3), new float[] { 2 });
        Assert.True(sum.TryGetTotal(out Memory<float> total));
        Assert.Equal([10f], total.ToArray());
    }

    /// <summary>The tree's nodes, found from its leaves upwards.</summary>
    private static ShardRange[] Nodes(ReductionTree tree, int shards)
    {
        var nodes = new HashSet<ShardRange>();
        for (int shard = 0; shard < shards; shard++)
        {
            for (ShardRange? node = new(shard, shard + 1); node is { } next; node = tree.Parent(next)?.Parent)
                nodes.Add(next);
        }

        return [.. nodes];
    }

    /// <summary>Fewest nodes that tile [first, end), by dynamic programming.</summary>
    private static int Smallest(ShardRange[] nodes, int first, int end)
    {
        int[] fewest = new int[end + 1];
        for (int to = first + 1; to <= end; to++)
            fewest[to] = 1 + nodes.Where(node => node.End == to && node.First >= first).Min(node => fewest[node.First]);
        return fewest[end];
    }
}

/// <summary>Vectors of wildly different magnitude, so that the order of additions shows in the bits.</summary>
internal static class Vectors
{
    public static float[][] Random(int count, int length, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, length).Select(_ =>
            (float)((random.NextDouble() - 0.5) * Math.Pow(10, random.Next(-6, 7)))).ToArray())];
    }

    /// <summary>Rounded to the nearest bfloat16, ties to even, in double precision.</summary>
    public static float ToBf16(float value)
    {
        if (!float.IsFinite(value) || value == 0)
            return value;
        double unit = Math.ScaleB(1, Math.Max(Math.ILogB(value), -126) - 7);
        return (float)(Math.Round(value / unit, MidpointRounding.ToEven) * unit);
    }

    public static uint[] Bits(float[] vector) => [.. vector.Select(BitConverter.SingleToUInt32Bits)];

    /// <summary>The sum by the tree's definition: a left half of the largest power of two that leaves something for the right.</summary>
    public static float[] AlongTheTree(ReadOnlySpan<float[]> vectors, WireFormat wire = WireFormat.Float32)
    {
        if (vectors.Length == 1)
            return [.. vectors[0].Select(Rounded)];
        int half = 1;
        while (half * 2 < vectors.Length)
            half *= 2;
        return [.. AlongTheTree(vectors[..half], wire).Zip(AlongTheTree(vectors[half..], wire), (a, b) => Rounded(a + b))];

        float Rounded(float value) => wire == WireFormat.Bf16 ? ToBf16(value) : value;
    }
}
