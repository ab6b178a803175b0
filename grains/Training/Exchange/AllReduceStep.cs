namespace PixelCnnCluster.Training;

/// <summary>
/// The exchange of one step's gradient. This worker's shards add their gradients part by part; a part that has those of all its shards is sent at once, while others
/// are still computed, but not before the step is begun.
/// </summary>
public sealed class AllReduceStep
{
    private readonly GradientExchange exchange;
    private readonly OwnPart[] own;
    private readonly ChunkState[] chunks;
    private readonly Lock gate = new();
    private readonly TaskCompletionSource reduced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<IReadOnlyList<ReadOnlyMemory<float>>> whole = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int ownMissing, missing;
    private bool hasBegun;

    internal AllReduceStep(GradientExchange exchange, long step)
    {
        (this.exchange, Step) = (exchange, step);
        own = [.. exchange.Pools.Select(pool => new OwnPart(new(exchange.Tree, pool, exchange.Wire), exchange.Share.Count))];
        chunks = [.. exchange.Places.Select(_ => new ChunkState(new(exchange.Tree, exchange.Blocks, exchange.Wire)))];
        missing = chunks.Length;
        ownMissing = Enumerable.Range(0, chunks.Length).Count(chunk => exchange.OwnerOf(chunk) == exchange.Rank);
        if (ownMissing == 0)
            reduced.SetResult();
    }

    public long Step { get; }

    /// <summary>Cancelled with the generation: nobody needs the sum any more.</summary>
    public CancellationToken Over => exchange.Over;

    /// <summary>Completes when the chunks that this worker owns are summed: from then on it waits for those of others.</summary>
    public Task Reduced => reduced.Task;

    /// <summary>The parts of the sum over all shards; they are used for other things when this worker begins a later step.</summary>
    public Task<IReadOnlyList<ReadOnlyMemory<float>>> Whole => whole.Task;

    /// <summary>A vector for a part of a shard's gradient.</summary>
    public Memory<float> Rent(int part) => exchange.Pools[part].Rent();

    /// <summary>Adds a part of the gradient of one of this worker's shards, in a vector that was rented for it.</summary>
    public void Add(int part, int shard, Memory<float> gradient)
    {
        own[part].Sum.Add(new(shard, shard + 1), gradient);
        CountDown(part);
    }

    internal void Begin()
    {
        if (Interlocked.Exchange(ref hasBegun, true))
            return;
        for (int part = own.Length - 1; part >= 0; part--)
            CountDown(part);
    }

    internal Memory<float>? Open(ChunkHeader header)
    {
        ChunkState chunk = chunks[header.Chunk];
        lock (chunk)
        {
            if (chunk.IsDone || chunk.Sum.Has(header.Node))
                return null;
        }

        ChunkPlace place = exchange.Places[header.Chunk];
        return header.Kind == ChunkKind.Finished ? place.Of(ResultOf(place.Part)) : exchange.Blocks.Rent()[..place.Length];
    }

    internal void Close(ChunkHeader header, Memory<float> values)
    {
        ChunkState chunk = chunks[header.Chunk];
        lock (chunk)
        {
            if (header.Kind == ChunkKind.Finished)
                Finish(header.Chunk, values);
            else if (chunk.IsDone || chunk.Sum.Has(header.Node))
                exchange.Blocks.Return(values);
            else
                Add(header.Chunk, header.Node, values, isPooled: true);
        }
    }

    internal void Cancel()
    {
        reduced.TrySetCanceled();
        whole.TrySetCanceled();
    }

    /// <summary>Gives the vectors back, when nobody needs the sum any more.</summary>
    internal void Recycle()
    {
        foreach ((OwnPart part, VectorPool pool) in own.Zip(exchange.Pools))
        {
            if (part.IsResultRented)
                pool.Return(part.Result!.Value);
            part.Sum.Clear();
        }
    }

    /// <summary>A shard's gradient of a part is there, or the step has begun.</summary>
    private void CountDown(int part)
    {
        if (Interlocked.Decrement(ref own[part].Missing) == 0)
            Publish(part);
    }

    /// <summary>Sends this worker's sums of a part to the chunks' owners, and adds them to its own chunks.</summary>
    private void Publish(int part)
    {
        (ShardRange Node, Memory<float> Vector)[] sums = [.. own[part].Sum.Sums];
        if (sums.Length > 0)
        {
            lock (gate)
                own[part].Result ??= sums[0].Vector;
        }

        int[] parts = [.. Enumerable.Range(0, chunks.Length).Where(chunk => exchange.Places[chunk].Part == part)];
        foreach (IGrouping<int, int> owned in parts.ToLookup(exchange.OwnerOf).Where(owned => owned.Key != exchange.Rank))
        {
            exchange.SendQueues[owned.Key].Add(
                from chunk in owned
                from sum in sums
                select new Chunk(new(Step, ChunkKind.Partial, chunk, sum.Node), exchange.Places[chunk].Of(sum.Vector)),
                // Where it is finished, the owner has this sum, and the finished one lies in its place.
                isWanted: chunk => !chunks[chunk.Header.Chunk].IsDone, first: false);
        }

        foreach (int chunk in parts.Where(chunk => exchange.OwnerOf(chunk) == exchange.Rank))
        {
            lock (chunks[chunk])
            {
                foreach ((ShardRange node, Memory<float> vector) in sums)
                    Add(chunk, node, exchange.Places[chunk].Of(vector), isPooled: false);
            }
        }
    }

    private void Add(int chunk, ShardRange node, Memory<float> values, bool isPooled)
    {
        ChunkState state = chunks[chunk];
        state.Sum.Add(node, values, isPooled);
        if (!state.Sum.TryGetTotal(out Memory<float> total))
            return;
        ChunkPlace place = exchange.Places[chunk];
        Memory<float> result = place.Of(ResultOf(place.Part));
        if (result.Span != total.Span)
            total.CopyTo(result);
        state.Sum.Clear();
        Finish(chunk, result);
    }

    private void Finish(int number, Memory<float> result)
    {
        if (chunks[number].IsDone)
            return;
        chunks[number].IsDone = true;
        if (exchange.OwnerOf(number) == exchange.Rank)
        {
            foreach (SendQueue outbox in exchange.SendQueues.Where((_, rank) => rank != exchange.Rank))
                outbox.Add([new(new(Step, ChunkKind.Finished, number, exchange.Tree.Root), result)], isWanted: _ => true, first: true);
            if (Interlocked.Decrement(ref ownMissing) == 0)
                reduced.TrySetResult();
        }

        if (Interlocked.Decrement(ref missing) == 0)
            whole.TrySetResult([.. own.Select(part => (ReadOnlyMemory<float>)part.Result!.Value)]);
    }

    private Memory<float> ResultOf(int part)
    {
        lock (gate)
        {
            if (own[part].Result is { } result)
                return result;
            own[part].IsResultRented = true;
            return (own[part].Result = exchange.Pools[part].Rent()).Value;
        }
    }

    /// <summary>This worker's own sums of a part, and where the finished part comes to lie: in the place of one of them, if there is one.</summary>
    private sealed class OwnPart(TreeSum sum, int shards)
    {
        /// <summary>Shards to come, and the step's beginning.</summary>
        public int Missing = shards + 1;

        public TreeSum Sum => sum;

        public Memory<float>? Result { get; set; }

        public bool IsResultRented { get; set; }
    }

    private sealed class ChunkState(TreeSum sum)
    {
        public volatile bool IsDone;

        public TreeSum Sum => sum;
    }
}
