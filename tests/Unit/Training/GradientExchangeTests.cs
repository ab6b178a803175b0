using CsCheck;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Tests.Training;

/// <summary>The all-reduce over doors that delay and reorder gives every worker the same bits, however many workers there are.</summary>
public sealed class GradientExchangeTests
{
    private const int LongestChunk = 1 << 18;

    [Fact]
    public void Any_number_of_workers_gets_the_same_bits_in_any_order_of_arrival() =>
        Gen.Select(Gen.Int[1, 12], Gen.Int[1, 30], Gen.Int).Sample(
            (shards, length, seed) =>
            {
                float[][] vectors = Vectors.Random(shards, length, seed);
                uint[] expected = Vectors.Bits(Vectors.AlongTheTree(vectors));
                for (int workers = 1; workers <= Math.Min(5, shards); workers++)
                {
                    var mesh = new Mesh(shards, workers, length, seed);
                    foreach (long step in new long[] { 3, 4 })
                        Assert.All(mesh.Exchange(step, vectors), result => Assert.Equal(expected, Vectors.Bits(result)));
                }
            },
            iter: 100);

    [Theory]
    [InlineData(LongestChunk, 1)]
    [InlineData(LongestChunk + 1, 2)]
    [InlineData((3 * LongestChunk) - 5, 2)]
    [InlineData(3, 5)]
    [InlineData(1, 4)]
    public void Vectors_longer_than_a_chunk_and_shorter_than_the_workers_arrive_whole(int length, int workers)
    {
        float[][] vectors = [.. Enumerable.Range(0, 5).Select(shard => Enumerable.Range(0, length).Select(i => (float)((i * 5) + shard)).ToArray())];
        float[] expected = Vectors.AlongTheTree(vectors);
        Assert.All(new Mesh(5, workers, length, seed: 1).Exchange(0, vectors), result => Assert.Equal(expected, result));
    }

    [Fact]
    public async Task Chunks_that_come_before_the_own_sums_are_kept()
    {
        float[][] vectors = Vectors.Random(4, 10, 1);
        var mesh = new Mesh(4, 2, 10, seed: 1);
        Task<float[]> first = mesh.Start(0, 7, vectors);
        mesh.Drain();
        Assert.False(first.IsCompleted);
        Task<float[]> second = mesh.Start(1, 7, vectors);
        mesh.Drain();
        uint[] expected = Vectors.Bits(Vectors.AlongTheTree(vectors));
        Assert.Equal(expected, Vectors.Bits(await first));
        Assert.Equal(expected, Vectors.Bits(await second));
    }

    [Fact]
    public async Task Chunks_of_another_run_or_generation_or_of_an_earlier_step_are_refused()
    {
        float[][] vectors = Vectors.Random(2, 4, 1);
        var mesh = new Mesh(2, 2, 4, seed: 1);
        Task<float[]> result = mesh.Start(0, 7, vectors);
        var poison = new GradientChunk("run", 2, 7, ChunkKind.Partial, 0, 1, 2, new byte[8]);
        foreach (GradientChunk stale in new[] { poison with { Run = "other" }, poison with { Generation = 1 }, poison with { Generation = 3 }, poison with { Step = 6 } })
        {
            await mesh.Workers[0].ReceiveAsync(stale);
            await mesh.Workers[0].ReceiveAsync(stale with { Kind = ChunkKind.Finished });
        }

        Assert.False(result.IsCompleted);
        Task<float[]> other = mesh.Start(1, 7, vectors);
        mesh.Drain();
        Assert.Equal(Vectors.Bits(Vectors.AlongTheTree(vectors)), Vectors.Bits(await result));
        await other;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => mesh.Start(0, 6, vectors));
    }

    [Fact]
    public async Task A_chunk_of_a_later_step_ends_the_wait_for_an_earlier_one()
    {
        float[][] vectors = Vectors.Random(2, 4, 1);
        var mesh = new Mesh(2, 2, 4, seed: 1);
        Task<float[]> left = mesh.Start(0, 7, vectors);
        mesh.Drain();
        Task<float[]>[] next = [mesh.Start(1, 8, vectors), mesh.Start(0, 8, vectors)];
        mesh.Drain();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        Assert.All(await Task.WhenAll(next), result => Assert.Equal(Vectors.Bits(Vectors.AlongTheTree(vectors)), Vectors.Bits(result)));
    }

    [Fact]
    public async Task Abandoning_ends_a_wait_and_those_to_come()
    {
        var mesh = new Mesh(2, 2, 4, seed: 1);
        Task<float[]> left = mesh.Start(0, 7, Vectors.Random(2, 4, 1));
        mesh.Drain();
        mesh.Workers[0].Abandon();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => mesh.Start(0, 8, Vectors.Random(2, 4, 1)));
    }

    [Fact]
    public void A_chunk_that_comes_twice_counts_once()
    {
        float[][] vectors = Vectors.Random(4, 10, 1);
        var mesh = new Mesh(4, 3, 10, seed: 1) { Twice = true };
        Assert.All(mesh.Exchange(0, vectors), result => Assert.Equal(Vectors.Bits(Vectors.AlongTheTree(vectors)), Vectors.Bits(result)));
    }

    [Fact]
    public async Task Chunks_may_come_on_several_threads()
    {
        const int Shards = 8, Workers = 4, Length = 64;
        float[][] vectors = Vectors.Random(Shards, Length, 2);
        uint[] expected = Vectors.Bits(Vectors.AlongTheTree(vectors));
        var doors = new ThreadedDoor();
        doors.Workers = [.. Enumerable.Range(0, Workers).Select(rank => new GradientExchange("run", 2, new(Shards), Workers, rank, Length, doors))];
        for (long step = 0; step < 300; step++)
        {
            float[][] results = await Task.WhenAll(doors.Workers.Select((worker, rank) =>
                Task.Run(() => worker.ExchangeAsync(step, Mesh.Sums(new(Shards), rank, Workers, vectors))))).WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
            Assert.All(results, result => Assert.Equal(expected, Vectors.Bits(result)));
        }
    }

    /// <summary>Delivers each chunk on whatever thread is free.</summary>
    private sealed class ThreadedDoor : IChunkDoor
    {
        public GradientExchange[] Workers { get; set; } = [];

        public Task SendAsync(int rank, GradientChunk chunk) => Task.Run(() => Workers[rank].ReceiveAsync(chunk));
    }

    /// <summary>Workers whose chunks wait until one is picked at random.</summary>
    private sealed class Mesh : IChunkDoor
    {
        private readonly ReductionTree tree;
        private readonly Random random;
        private readonly List<Action> pending = [];

        public Mesh(int shards, int workers, int length, int seed)
        {
            tree = new(shards);
            random = new(seed);
            Workers = [.. Enumerable.Range(0, workers).Select(rank => new GradientExchange("run", 2, tree, workers, rank, length, this))];
        }

        public GradientExchange[] Workers { get; }

        /// <summary>Every chunk is delivered twice.</summary>
        public bool Twice { get; init; }

        /// <summary>Sums of a worker's share along the tree, which it may change.</summary>
        public static IReadOnlyDictionary<ShardRange, float[]> Sums(ReductionTree tree, int rank, int workers, float[][] vectors)
        {
            var sum = new TreeSum(tree);
            ShardRange share = ShardRange.ShareOf(tree.Root.Count, rank, workers);
            for (int shard = share.First; shard < share.End; shard++)
                sum.Add(new(shard, shard + 1), [.. vectors[shard]]);
            return sum.Sums;
        }

        public Task SendAsync(int rank, GradientChunk chunk)
        {
            var taken = new TaskCompletionSource();
            lock (pending)
            {
                if (Twice)
                    pending.Add(() => Workers[rank].ReceiveAsync(chunk));
                pending.Add(() => Workers[rank].ReceiveAsync(chunk).ContinueWith(
                    _ => taken.SetResult(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default));
                Monitor.Pulse(pending);
            }

            return taken.Task;
        }

        public Task<float[]> Start(int rank, long step, float[][] vectors) =>
            Workers[rank].ExchangeAsync(step, Sums(tree, rank, Workers.Length, vectors));

        /// <summary>Delivers what waits, and what that sends, in random order.</summary>
        public void Drain()
        {
            while (TryTake(out Action deliver))
                deliver();
        }

        private bool TryTake(out Action deliver)
        {
            lock (pending)
            {
                deliver = () => { };
                if (pending.Count == 0)
                    return false;
                int pick = random.Next(pending.Count);
                deliver = pending[pick];
                pending.RemoveAt(pick);
                return true;
            }
        }

        /// <summary>A whole step, whose workers start at random moments.</summary>
        public float[][] Exchange(long step, float[][] vectors)
        {
            var results = new Task<float[]>[Workers.Length];
            for (int rank = 0; rank < Workers.Length; rank++)
            {
                int own = rank;
                pending.Add(() => results[own] = Start(own, step, vectors));
            }

            Drain();
            Task<float[][]> all = Task.WhenAll(results);
            _ = all.ContinueWith(
                _ =>
                {
                    lock (pending)
                        Monitor.Pulse(pending);
                },
                TaskScheduler.Default);
            while (!all.IsCompleted)
            {
                // Workers keep few chunks in flight, and send the next when one has been taken.
                lock (pending)
                {
                    while (pending.Count == 0 && !all.IsCompleted)
                        Assert.True(Monitor.Wait(pending, TimeSpan.FromSeconds(30)), "No worker sent a chunk within 30 seconds, and the exchange is not over.");
                }

                Drain();
            }

            return all.GetAwaiter().GetResult();
        }
    }
}
