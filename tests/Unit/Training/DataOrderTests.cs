using CsCheck;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Unit.Tests.Training;

/// <summary>Which images a shard uses is a function of (seed, step, shard), and each epoch uses each image once.</summary>
public sealed class DataOrderTests
{
    private static readonly Gen<(int Images, int Batch, int Shards, ulong Seed)> Settings =
        Gen.Select(Gen.Int[1, 40], Gen.Int[1, 9], Gen.Int[1, 6], Gen.ULong);

    [Fact]
    public void Every_epoch_uses_each_image_exactly_once() => Settings.Sample(
        s =>
        {
            const int Epochs = 3;
            var order = new DataOrder(s.Images, s.Batch, s.Shards, s.Seed);
            var positions = new List<int>();
            for (long step = 0; positions.Count < Epochs * s.Images; step++)
            {
                for (int shard = 0; shard < s.Shards; shard++)
                {
                    int[] batch = order.ImagesOf(step, shard);
                    Assert.Equal(s.Batch, batch.Length);
                    positions.AddRange(batch);
                }
            }

            Assert.All(positions.Chunk(s.Images).Take(Epochs), epoch => Assert.Equal(Enumerable.Range(0, s.Images), epoch.Order()));
        },
        iter: 200);

    [Fact]
    public void The_order_does_not_depend_on_who_asks_for_what_and_when() => Gen.Select(Settings, Gen.ULong).Sample(
        (s, shuffle) =>
        {
            var inOrder = new DataOrder(s.Images, s.Batch, s.Shards, s.Seed);
            (long Step, int Shard)[] asked = [.. Enumerable.Range(0, 12).SelectMany(
                step => Enumerable.Range(0, s.Shards).Select(shard => ((long)step, shard)))];
            int[][] expected = [.. asked.Select(a => inOrder.ImagesOf(a.Step, a.Shard))];
            int[] mixed = [.. Enumerable.Range(0, asked.Length)];
            new Random((int)shuffle).Shuffle(mixed);
            var other = new DataOrder(s.Images, s.Batch, s.Shards, s.Seed);
            Assert.All(mixed, i => Assert.Equal(expected[i], other.ImagesOf(asked[i].Step, asked[i].Shard)));
        },
        iter: 100);

    /// <summary>As when a run goes on from a checkpoint with batches of another size.</summary>
    [Fact]
    public void The_order_goes_on_behind_the_images_that_were_used()
    {
        DataOrder before = new(50, 2, 4, seed: 5), after = new(50, 3, 6, seed: 5, firstStep: 10, firstImage: 80),
            ones = new(50, 1, 1, seed: 5);

        Assert.Equal([.. Enumerable.Range(80, 3).SelectMany(i => ones.ImagesOf(i, 0))], after.ImagesOf(10, 0));
        Assert.Equal([.. Enumerable.Range(98 + 15, 3).SelectMany(i => ones.ImagesOf(i, 0))], after.ImagesOf(11, 5));
        Assert.Equal(before.EpochsAfter(10), after.EpochsAfter(10));
        Assert.Equal((80 + 18) / 50, after.WholeEpochsAfter(11));
        // 70 images are left of three epochs, 18 a step.
        Assert.Equal(14, after.StepsFor(3));
    }

    [Fact]
    public void Several_threads_may_ask_at_once()
    {
        DataOrder one = new(50, 3, 4, 5), shared = new(50, 3, 4, 5);
        int[][] expected = [.. Enumerable.Range(0, 400).Select(i => one.ImagesOf(i / 4, i % 4))];
        Parallel.For(0, 400, i => Assert.Equal(expected[i], shared.ImagesOf(i / 4, i % 4)));
    }

    [Fact]
    public void Epochs_and_seeds_have_orders_of_their_own()
    {
        int[][] orders = [.. from seed in new ulong[] { 1, 2 } from epoch in new[] { 0,
            1 } select new DataOrder(100, 100, 1, seed).ImagesOf(epoch, 0)];
        foreach (int[] order in orders)
        {
            Assert.Equal(1, orders.Count(other => other.SequenceEqual(order)));
            Assert.InRange(order.Where((image, place) => image == place).Count(), 0, 10);
        }
    }

    [Fact]
    public void The_order_of_a_late_epoch_is_found_without_those_before()
    {
        Assert.Equal(Enumerable.Range(0, 7), new DataOrder(7, 7, 1, 1).ImagesOf(1L << 40, 0).Order());
        Assert.Equal(2.5, new DataOrder(16, 4, 2, 1).EpochsAfter(5));
    }
}
