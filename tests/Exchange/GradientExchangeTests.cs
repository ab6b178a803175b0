using CsCheck;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Exchange.Tests;

/// <summary>
/// The all-reduce over connections that delay and break gives every worker the same bits, however many workers there are.
/// </summary>
public sealed class GradientExchangeTests
{
    private const int LongestChunk = 1 << 18;

    [Theory]
    [InlineData(WireFormat.Float32)]
    [InlineData(WireFormat.Bf16)]
    public void Any_number_of_workers_gets_the_same_bits_in_any_order_of_arrival(WireFormat wire) =>
        Gen.Select(Gen.Int[1, 12], Gen.Int[1, 20].Array[1, 3], Gen.Int).Sample(
            (shards, parts, seed) =>
            {
                float[][] vectors = Vectors.Random(shards, parts.Sum(), seed);
                uint[] expected = Vectors.Bits(Vectors.AlongTheTree(vectors, wire));
                // More workers than shards, too: some have nothing to add.
                for (int workers = 1; workers <= Math.Min(5, shards + 1); workers++)
                {
                    var mesh = new Mesh(shards, workers, parts, wire, seed);
                    foreach (long step in new long[] { 3, 4, 5 })
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
        float[][] vectors = [.. Enumerable.Range(0, 5).Select(
            shard => Enumerable.Range(0, length).Select(i => (float)((i * 5) + shard)).ToArray())];
        float[] expected = Vectors.AlongTheTree(vectors);
        Assert.All(
            new Mesh(5, workers, [length], WireFormat.Float32, seed: 1).Exchange(0, vectors), result => Assert.Equal(expected, result));
    }

    [Fact]
    public void Chunks_that_come_before_the_own_sums_are_kept()
    {
        float[][] vectors = Vectors.Random(4, 10, 1);
        Mesh mesh = Two(shards: 4, length: 10);
        AllReduceStep first = mesh.Start(0, 7, vectors);
        mesh.Post.Deliver();
        Assert.False(first.Whole.IsCompleted);
        AllReduceStep second = mesh.Start(1, 7, vectors);
        mesh.Post.Deliver();
        uint[] expected = Vectors.Bits(Vectors.AlongTheTree(vectors));
        Assert.Equal(expected, Vectors.Bits(Mesh.Result(first)));
        Assert.Equal(expected, Vectors.Bits(Mesh.Result(second)));
    }

    [Fact]
    public void A_part_is_exchanged_while_others_are_computed()
    {
        float[][] vectors = Vectors.Random(2, 10, 1);
        var mesh = new Mesh(2, 2, [6, 4], WireFormat.Float32, seed: 1);
        AllReduceStep[] rounds = [mesh.Workers[0].Begin(0), mesh.Workers[1].Begin(0)];
        Add(part: 1, first: 6, length: 4);
        mesh.Post.Deliver();
        Assert.False(mesh.Workers[0].SendQueues[1].TryNext(out _));
        mesh.Post.Again();
        Assert.True(
            mesh.Workers[0].SendQueues[1].TryNext(out Chunk early)
                && early.Header.Kind == ChunkKind.Finished, "No chunk of the part that is computed is finished.");
        Assert.All(rounds, step => Assert.False(step.Reduced.IsCompleted));
        Add(part: 0, first: 0, length: 6);
        mesh.Post.Deliver();
        Assert.All(rounds, step => Assert.Equal(Vectors.Bits(Vectors.AlongTheTree(vectors)), Vectors.Bits(Mesh.Result(step))));

        void Add(int part, int first, int length)
        {
            for (int worker = 0; worker < 2; worker++)
            {
                Memory<float> vector = rounds[worker].Rent(part);
                vectors[worker].AsSpan(first, length).CopyTo(vector.Span);
                rounds[worker].Add(part, worker, vector);
            }
        }
    }

    [Fact]
    public void Shards_of_the_next_step_may_be_there_before_everybody_has_this_ones_sum()
    {
        float[][] vectors = Vectors.Random(4, 10, 1), later = Vectors.Random(4, 10, 2);
        Mesh mesh = Two(shards: 4, length: 10);
        AllReduceStep[] rounds = [mesh.Start(0, 7, vectors), mesh.Start(1, 7, vectors)],
            next = [mesh.Prepare(0, 8, later), mesh.Prepare(1, 8, later)];
        mesh.Post.Deliver();
        Assert.All(rounds, step => Assert.Equal(Vectors.Bits(Vectors.AlongTheTree(vectors)), Vectors.Bits(Mesh.Result(step))));
        mesh.Workers[0].Begin(8);
        mesh.Post.Deliver();
        Assert.All(next, step => Assert.False(step.Whole.IsCompleted));
        // Its peer's chunks were first.
        mesh.Workers[1].Begin(8);
        mesh.Post.Deliver();
        Assert.All(next, step => Assert.Equal(Vectors.Bits(Vectors.AlongTheTree(later)), Vectors.Bits(Mesh.Result(step))));
    }

    [Fact]
    public void Chunks_of_an_earlier_step_are_dropped()
    {
        float[][] vectors = Vectors.Random(2, 4, 1);
        Mesh mesh = Two(shards: 2, length: 4);
        AllReduceStep result = mesh.Start(0, 7, vectors);
        Assert.Null(mesh.Workers[0].Open(new(6, ChunkKind.Partial, 0, new(1, 2))));
        Assert.Null(mesh.Workers[0].Open(new(6, ChunkKind.Finished, 1, new(0, 2))));
        Assert.False(result.Whole.IsCompleted);
        mesh.Start(1, 7, vectors);
        mesh.Post.Deliver();
        Assert.Equal(Vectors.Bits(Vectors.AlongTheTree(vectors)), Vectors.Bits(Mesh.Result(result)));
        Assert.ThrowsAny<OperationCanceledException>(() => mesh.Workers[0].Begin(6));
        Assert.ThrowsAny<OperationCanceledException>(() => mesh.Workers[0].Prepare(6));
    }

    [Fact]
    public void A_chunk_that_cannot_be_for_this_worker_is_refused()
    {
        GradientExchange worker = Two(shards: 4, length: 4).Workers[0];
        var right = new ChunkHeader(0, ChunkKind.Partial, 0, new(2, 4));
        Assert.Equal(2, worker.LengthOf(right));
        foreach (ChunkHeader wrong in new[]
        {
            right with { Chunk = -1 }, right with { Chunk = 2 }, right with { Chunk = 1 }, right with { Node = new(1, 3) },
                right with { Node = new(2, 5) },
            right with { Kind = (ChunkKind)2 }, right with { Kind = ChunkKind.Finished, Node = new(0, 4) },
            new(0, ChunkKind.Finished, 1, new(0, 2)),
        })
        {
            Assert.Throws<InvalidDataException>(() => worker.LengthOf(wrong));
        }
    }

    [Fact]
    public void A_chunk_of_a_later_step_ends_the_wait_for_an_earlier_one()
    {
        float[][] vectors = Vectors.Random(2, 4, 1);
        Mesh mesh = Two(shards: 2, length: 4);
        AllReduceStep left = mesh.Start(0, 7, vectors);
        AllReduceStep[] next = [mesh.Start(1, 8, vectors), mesh.Start(0, 8, vectors)];
        mesh.Post.Deliver();
        Assert.True(left.Whole.IsCanceled && left.Reduced.IsCanceled);
        Assert.All(next, step => Assert.Equal(Vectors.Bits(Vectors.AlongTheTree(vectors)), Vectors.Bits(Mesh.Result(step))));
    }

    [Fact]
    public void A_sum_stays_until_its_worker_begins_a_later_step()
    {
        float[][] vectors = Vectors.Random(1, 4, 1);
        Mesh mesh = Two(shards: 1, length: 4);
        // Who has no shards is soonest to need room for the next step's sum.
        int idle = mesh.Workers.ToList().FindIndex(worker => worker.Share.Count == 0);
        AllReduceStep[] rounds = [mesh.Start(0, 7, vectors), mesh.Start(1, 7, vectors)];
        mesh.Post.Deliver();
        mesh.Start(1 - idle, 8, Vectors.Random(1, 4, 2));
        mesh.Post.Deliver();
        Assert.Equal(vectors[0], Mesh.Result(rounds[idle]));
    }

    [Fact]
    public void The_end_of_a_generation_ends_a_wait_and_those_to_come()
    {
        using var over = new CancellationTokenSource();
        var mesh = new Mesh(2, 2, [4], WireFormat.Float32, seed: 1, over.Token);
        AllReduceStep left = mesh.Start(0, 7, Vectors.Random(2, 4, 1));
        over.Cancel();
        Assert.True(left.Whole.IsCanceled);
        Assert.ThrowsAny<OperationCanceledException>(() => mesh.Workers[0].Begin(8));
        Assert.ThrowsAny<OperationCanceledException>(() => mesh.Workers[0].Prepare(8));
        Assert.ThrowsAny<OperationCanceledException>(() => mesh.Workers[0].Open(new(7, ChunkKind.Partial, 0, new(1, 2))));
    }

    [Fact]
    public void What_comes_twice_counts_once()
    {
        float[][] vectors = Vectors.Random(4, 10, 1);
        var mesh = new Mesh(4, 3, [10], WireFormat.Float32, seed: 1);
        AllReduceStep[] rounds = [.. Enumerable.Range(0, 3).Select(rank =>
        {
            AllReduceStep step = mesh.Start(rank, 0, vectors);
            mesh.Post.Deliver();
            mesh.Post.Again();
            mesh.Post.Deliver();
            return step;
        })];
        mesh.Post.Again();
        mesh.Post.Deliver();
        Assert.All(rounds, step => Assert.Equal(Vectors.Bits(Vectors.AlongTheTree(vectors)), Vectors.Bits(Mesh.Result(step))));
    }

    [Fact]
    public async Task Chunks_may_come_on_several_threads()
    {
        const int Shards = 8, Workers = 4, Length = 64;
        float[][] vectors = Vectors.Random(Shards, Length, 2);
        uint[] expected = Vectors.Bits(Vectors.AlongTheTree(vectors));
        var mesh = new Mesh(Shards, Workers, [Length], WireFormat.Float32, seed: 1);
        using var over = new CancellationTokenSource();
        Task[] links =
        [
            .. from sender in Enumerable.Range(0, Workers)
               from receiver in Enumerable.Range(0, Workers)
               where sender != receiver
               select Task.Run(() => CarryAsync(sender, receiver)),
        ];
        for (long step = 0; step < 300; step++)
        {
            IReadOnlyList<ReadOnlyMemory<float>>[] results = await Task.WhenAll(
                Enumerable.Range(0, Workers).Select(rank => Task.Run(() => mesh.Start(rank, step, vectors).Whole)))
                .SoonAsync($"sum of step {step}");
            Assert.All(results, result => Assert.Equal(expected, Vectors.Bits(result[0].ToArray())));
        }

        over.Cancel();
        await Task.WhenAll(links).ContinueWith(ended => Assert.True(ended.IsCanceled, ended.Exception?.ToString()), TaskScheduler.Default);

        async Task CarryAsync(int sender, int receiver)
        {
            while (true)
            {
                await mesh.Workers[sender].SendQueues[receiver].NewsAsync(over.Token);
                while (mesh.Workers[sender].SendQueues[receiver].TryNext(out Chunk chunk))
                    Posting.Hand(mesh.Workers[receiver], chunk.Header, chunk.Values.ToArray());
            }
        }
    }

    [Fact]
    public void Steps_take_no_new_vectors()
    {
        const int Length = 3 * LongestChunk;
        float[][] vectors = Vectors.Random(4, Length, 1);
        var mesh = new Mesh(4, 2, [Length], WireFormat.Float32, seed: 1);
        var used = new HashSet<object>(ReferenceEqualityComparer.Instance);
        for (long step = 0; step < 6; step++)
        {
            foreach (AllReduceStep round in new[] { mesh.Start(0, step, vectors, used), mesh.Start(1, step, vectors, used) })
                mesh.Post.Deliver();
        }

        Assert.Equal(4, used.Count);
        for (long step = 6; step < 12; step++)
        {
            AllReduceStep[] next = [mesh.Prepare(0, step, vectors, used), mesh.Prepare(1, step, vectors, used)];
            Assert.All(mesh.Workers, worker => worker.Begin(step));
            mesh.Post.Deliver();
            Assert.All(next, round => Assert.True(round.Whole.IsCompletedSuccessfully));
        }

        // One more for each worker, since the sum of the step before stays until everybody has it.
        Assert.Equal(6, used.Count);
    }

    private static Mesh Two(int shards, int length) => new(shards, 2, [length], WireFormat.Float32, seed: 1);

    /// <summary>The workers of a generation.</summary>
    private sealed class Mesh
    {
        private readonly Random _random;
        private readonly int[] _parts;

        public Mesh(int shards, int workers, int[] parts, WireFormat wire, int seed, CancellationToken over = default)
        {
            (_parts, _random) = (parts, new(seed));
            Workers = [.. Enumerable.Range(0, workers).Select(
                rank => new GradientExchange(new(shards), new(rank, workers), parts, wire, over: over))];
            Post = new(Workers, seed);
        }

        public GradientExchange[] Workers { get; }

        public Posting Post { get; }

        public static float[] Result(AllReduceStep step)
        {
            Assert.True(step.Whole.IsCompletedSuccessfully && step.Reduced.IsCompletedSuccessfully);
            return [.. step.Whole.Result.SelectMany(part => part.ToArray())];
        }

        /// <param name="used">Takes down the arrays that the worker's shards are put in.</param>
        public AllReduceStep Start(int rank, long step, float[][] vectors, HashSet<object>? used = null) =>
            Add(rank, Workers[rank].Begin(step), vectors, used);

        /// <summary>Has a worker's shards computed before their step begins.</summary>
        public AllReduceStep Prepare(int rank, long step, float[][] vectors, HashSet<object>? used = null) =>
            Add(rank, Workers[rank].Prepare(step), vectors, used);

        private AllReduceStep Add(int rank, AllReduceStep step, float[][] vectors, HashSet<object>? used)
        {
            for (int part = _parts.Length - 1; part >= 0; part--)
            {
                for (int shard = Workers[rank].Share.First; shard < Workers[rank].Share.End; shard++)
                {
                    Memory<float> vector = step.Rent(part);
                    if (used is not null && System.Runtime.InteropServices.MemoryMarshal.TryGetArray(vector, out ArraySegment<float> array))
                        used.Add(array.Array!);
                    vectors[shard].AsSpan(_parts.Take(part).Sum(), _parts[part]).CopyTo(vector.Span);
                    step.Add(part, shard, vector);
                }
            }

            return step;
        }

        /// <summary>A whole step, whose workers start in random order, and whose connections break once.</summary>
        public float[][] Exchange(long step, float[][] vectors)
        {
            int[] order = [.. Enumerable.Range(0, Workers.Length)];
            _random.Shuffle(order);
            var rounds = new AllReduceStep[Workers.Length];
            foreach (int rank in order)
            {
                rounds[rank] = Start(rank, step, vectors);
                if (_random.Next(2) == 0)
                    Post.Deliver();
                if (_random.Next(3) == 0)
                    Post.Again();
            }

            Post.Deliver();
            return [.. rounds.Select(Result)];
        }
    }
}
