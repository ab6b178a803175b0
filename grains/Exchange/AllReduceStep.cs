namespace PixelCnnCluster.Exchange;

/// <summary>
/// The exchange of one step's gradient. This worker's shards add their gradients part by part; a part that has those of all its shards is
/// sent at once, while others are still computed, but not before the step is begun.
/// </summary>
public sealed class AllReduceStep
{
    private readonly GradientExchange _exchange;
    private readonly OwnPart[] _own;
    private readonly ChunkState[] _chunks;

    /// <summary>Protects each part's result. The counters below are interlocked, and each chunk is its own lock.</summary>
    private readonly Lock _gate = new();

    private readonly TaskCompletionSource _reduced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<IReadOnlyList<ReadOnlyMemory<float>>> _whole = new(
        TaskCreationOptions.RunContinuationsAsynchronously);
    private int _ownMissing, _missing;
    private bool _hasBegun;

    internal AllReduceStep(GradientExchange exchange, long step)
    {
        (_exchange, Step) = (exchange, step);
        _own = [.. exchange.Pools.Select(pool => new OwnPart(new(exchange.Tree, pool, exchange.Wire), exchange.Share.Count))];
        _chunks = [.. exchange.Places.Select(_ => new ChunkState(new(exchange.Tree, exchange.Blocks, exchange.Wire)))];
        _missing = _chunks.Length;
        _ownMissing = Enumerable.Range(0, _chunks.Length).Count(chunk => exchange.OwnerOf(chunk) == exchange.Rank);
        if (_ownMissing == 0)
            _reduced.SetResult();
    }

    public long Step { get; }

    /// <summary>Cancelled with the generation: nobody needs the sum any more.</summary>
    public CancellationToken Over => _exchange.Over;

    /// <summary>Completes when the chunks that this worker owns are summed: from then on it waits for those of others.</summary>
    public Task Reduced => _reduced.Task;

    /// <summary>The parts of the sum over all shards; they are used for other things when this worker begins a later step.</summary>
    public Task<IReadOnlyList<ReadOnlyMemory<float>>> Whole => _whole.Task;

    /// <summary>A vector for a part of a shard's gradient.</summary>
    public Memory<float> Rent(int part) => _exchange.Pools[part].Rent();

    /// <summary>Adds a part of the gradient of one of this worker's shards, in a vector that was rented for it.</summary>
    public void Add(int part, int shard, Memory<float> gradient)
    {
        _own[part].Sum.Add(new(shard, shard + 1), gradient);
        CountDown(part);
    }

    internal void Begin()
    {
        if (Interlocked.Exchange(ref _hasBegun, true))
            return;
        for (int part = _own.Length - 1; part >= 0; part--)
            CountDown(part);
    }

    internal Memory<float>? Open(ChunkHeader header)
    {
        ChunkState chunk = _chunks[header.Chunk];
        lock (chunk)
        {
            if (chunk.IsDone || chunk.Sum.Has(header.Node))
                return null;
        }

        ChunkPlace place = _exchange.Places[header.Chunk];
        return header.Kind == ChunkKind.Finished ? place.Of(ResultOf(place.Part)) : _exchange.Blocks.Rent()[..place.Length];
    }

    internal void Close(ChunkHeader header, Memory<float> values)
    {
        ChunkState chunk = _chunks[header.Chunk];
        lock (chunk)
        {
            if (header.Kind == ChunkKind.Finished)
                Finish(header.Chunk, values);
            else if (chunk.IsDone || chunk.Sum.Has(header.Node))
                _exchange.Blocks.Return(values);
            else
                Add(header.Chunk, header.Node, values, isPooled: true);
        }
    }

    internal void Cancel()
    {
        _reduced.TrySetCanceled();
        _whole.TrySetCanceled();
    }

    /// <summary>Gives the vectors back, when nobody needs the sum any more.</summary>
    internal void Recycle()
    {
        foreach ((OwnPart part, VectorPool pool) in _own.Zip(_exchange.Pools))
        {
            if (part.IsResultRented)
                pool.Return(part.Result!.Value);
            part.Sum.Clear();
        }
    }

    /// <summary>A shard's gradient of a part is there, or the step has begun.</summary>
    private void CountDown(int part)
    {
        if (Interlocked.Decrement(ref _own[part].Missing) == 0)
            Publish(part);
    }

    /// <summary>Sends this worker's sums of a part to the chunks' owners, and adds them to its own chunks.</summary>
    private void Publish(int part)
    {
        (ShardRange Node, Memory<float> Vector)[] sums = [.. _own[part].Sum.Sums];
        if (sums.Length > 0)
        {
            lock (_gate)
                _own[part].Result ??= sums[0].Vector;
        }

        int[] parts = [.. Enumerable.Range(0, _chunks.Length).Where(chunk => _exchange.Places[chunk].Part == part)];
        foreach (IGrouping<int, int> owned in parts.ToLookup(_exchange.OwnerOf).Where(owned => owned.Key != _exchange.Rank))
        {
            _exchange.SendQueues[owned.Key].Add(
                from chunk in owned
                from sum in sums
                select new Chunk(new(Step, ChunkKind.Partial, chunk, sum.Node), _exchange.Places[chunk].Of(sum.Vector)),
                // Where it is finished, the owner has this sum, and the finished one lies in its place.
                isWanted: chunk => !_chunks[chunk.Header.Chunk].IsDone, first: false);
        }

        foreach (int chunk in parts.Where(chunk => _exchange.OwnerOf(chunk) == _exchange.Rank))
        {
            lock (_chunks[chunk])
            {
                foreach ((ShardRange node, Memory<float> vector) in sums)
                    Add(chunk, node, _exchange.Places[chunk].Of(vector), isPooled: false);
            }
        }
    }

    private void Add(int chunk, ShardRange node, Memory<float> values, bool isPooled)
    {
        ChunkState state = _chunks[chunk];
        state.Sum.Add(node, values, isPooled);
        if (!state.Sum.TryGetTotal(out Memory<float> total))
            return;
        ChunkPlace place = _exchange.Places[chunk];
        Memory<float> result = place.Of(ResultOf(place.Part));
        if (result.Span != total.Span)
            total.CopyTo(result);
        state.Sum.Clear();
        Finish(chunk, result);
    }

    private void Finish(int number, Memory<float> result)
    {
        if (_chunks[number].IsDone)
            return;
        _chunks[number].IsDone = true;
        if (_exchange.OwnerOf(number) == _exchange.Rank)
        {
            foreach (SendQueue queue in _exchange.SendQueues.Where((_, rank) => rank != _exchange.Rank))
                queue.Add([new(new(Step, ChunkKind.Finished, number, _exchange.Tree.Root), result)], isWanted: _ => true, first: true);
            if (Interlocked.Decrement(ref _ownMissing) == 0)
                _reduced.TrySetResult();
        }

        if (Interlocked.Decrement(ref _missing) == 0)
            _whole.TrySetResult([.. _own.Select(part => (ReadOnlyMemory<float>)part.Result!.Value)]);
    }

    private Memory<float> ResultOf(int part)
    {
        lock (_gate)
        {
            if (_own[part].Result is { } result)
                return result;
            _own[part].IsResultRented = true;
            return (_own[part].Result = _exchange.Pools[part].Rent()).Value;
        }
    }

    /// <summary>
    /// This worker's own sums of a part, and where the finished part comes to lie: in the place of one of them, if there is one.
    /// </summary>
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
