using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Exchange;

/// <summary>
/// One worker's part in the all-reduce of a generation's gradients. The gradient comes in parts, each a vector, and each part is cut into
/// chunks that have one owner: the others send it their partial sums (reduce-scatter), it adds them along the tree and sends the finished
/// chunk to all (all-gather). Sums are made in place: a finished chunk takes the place of this worker's own partial sum, which nobody needs
/// any more. Chunks may come before this worker's own sums are ready. Safe to call from several threads.
/// </summary>
public sealed class GradientExchange
{
    /// <summary>
    /// Floats; 1 MB. Shorter ones wake threads more often, longer ones leave the processor's cache before they are summed.
    /// </summary>
    private const int LongestChunk = 1 << 18;

    /// <summary>
    /// Chunks of a short part that each worker owns at least, so that some are summed while others travel; but none gets shorter than
    /// <see cref="ShortestChunk"/> for that.
    /// </summary>
    private const int OwnedChunks = 4;

    private const int ShortestChunk = 1 << 14;

    /// <summary>Protects the steps below. A step locks its own state, never while it waits for this.</summary>
    private readonly Lock _gate = new();

    /// <summary>Rounds whose sums this worker may still read.</summary>
    private readonly List<AllReduceStep> _past = [];
    private AllReduceStep? _step, _prepared;

    /// <param name="parts">Floats of each part of the gradient.</param>
    /// <param name="wire">How chunks are sent.</param>
    /// <param name="allocate">Makes a vector of so many floats, of a kind that the device copies from and to fast; null for ordinary
    /// memory.</param>
    /// <param name="over">Cancelled with the generation: ends the wait of an exchange that peers will not finish, and of any to
    /// come.</param>
    public GradientExchange(
        ReductionTree tree, WorkerRank rank, IReadOnlyList<int> parts, WireFormat wire, Func<int, Memory<float>>? allocate = null,
        CancellationToken over = default)
    {
        Tree = tree;
        (Rank, Workers) = rank;
        Wire = wire;
        Over = over;
        Share = ShardRange.ShareOf(tree.Root.Count, Rank, Workers);
        Places = [.. parts.SelectMany((length, part) => Cut(part, length, Workers))];
        Pools = [.. parts.Select(length => new VectorPool(length, allocate))];
        Blocks = new(Places.Max(place => place.Length));
        SendQueues = [.. Enumerable.Range(0, Workers).Select(_ => new SendQueue())];
        over.Register(() =>
        {
            lock (_gate)
                _step?.Cancel();
        });
    }

    /// <summary>The shards that this worker computes.</summary>
    public ShardRange Share { get; }

    public WireFormat Wire { get; }

    /// <summary>Cancelled when nobody needs what peers send any more.</summary>
    public CancellationToken Over { get; }

    /// <summary>What goes to each worker, by number; nothing to this one.</summary>
    public IReadOnlyList<SendQueue> SendQueues { get; }

    internal ReductionTree Tree { get; }

    internal int Workers { get; }

    internal int Rank { get; }

    /// <summary>Where each chunk lies.</summary>
    internal ChunkPlace[] Places { get; }

    /// <summary>Vectors for each part.</summary>
    internal VectorPool[] Pools { get; }

    /// <summary>Vectors for chunks.</summary>
    internal VectorPool Blocks { get; }

    /// <summary>
    /// The round of a step that is to come, for this worker's shards: nothing of theirs is sent before <see cref="Begin"/>.
    /// </summary>
    /// <exception cref="OperationCanceledException">See <see cref="Begin"/>.</exception>
    public AllReduceStep Prepare(long step)
    {
        lock (_gate)
        {
            if (Over.IsCancellationRequested || step < _step?.Step)
                throw IsOver(step);
            return step == _step?.Step ? _step : _prepared = new(this, step);
        }
    }

    /// <summary>
    /// Begins a step's exchange. Every worker has the whole sum of the step before, and nobody reads that of this worker any more.
    /// </summary>
    /// <exception cref="OperationCanceledException">The generation is over, or a chunk of a later step came: the generation went on without
    /// this worker.</exception>
    public AllReduceStep Begin(long step)
    {
        AllReduceStep current;
        lock (_gate)
        {
            current = RoundOf(step) ?? throw IsOver(step);
            _past.ForEach(round => round.Recycle());
            _past.Clear();
        }

        current.Begin();
        return current;
    }

    /// <summary>Floats of a chunk that a peer announces.</summary>
    /// <exception cref="InvalidDataException">There is no such chunk, or it is not for this worker.</exception>
    public int LengthOf(ChunkHeader header)
    {
        bool isRight = header.Chunk >= 0 && header.Chunk < Places.Length && header.Kind switch
        {
            ChunkKind.Partial => OwnerOf(header.Chunk) == Rank && (header.Node == Tree.Root || Tree.Parent(header.Node) is not null),
            ChunkKind.Finished => OwnerOf(header.Chunk) != Rank && header.Node == Tree.Root,
            _ => false,
        };
        return isRight ? Places[header.Chunk].Length
            : throw new InvalidDataException($"there is no chunk {header} for worker number {Rank}");
    }

    /// <summary>
    /// Where the values of a chunk that comes are to be written before <see cref="Close"/>; null if it is not wanted: it came before, or
    /// belongs to an earlier step.
    /// </summary>
    /// <exception cref="OperationCanceledException">The generation is over.</exception>
    public Memory<float>? Open(ChunkHeader header)
    {
        if (RoundOf(header.Step) is { } current)
            return current.Open(header);
        return Over.IsCancellationRequested ? throw new OperationCanceledException("the generation is over") : null;
    }

    /// <summary>Takes a chunk whose values have come.</summary>
    public void Close(ChunkHeader header, Memory<float> values) => RoundOf(header.Step)?.Close(header, values);

    internal int OwnerOf(int chunk) => chunk % Workers;

    /// <summary>The state of a step's exchange, begun if the step is new; null if it is over.</summary>
    private AllReduceStep? RoundOf(long step)
    {
        lock (_gate)
        {
            if (Over.IsCancellationRequested)
                return null;
            if (_step is null || step > _step.Step)
            {
                if (_step is not null)
                {
                    _step.Cancel();
                    _past.Add(_step);
                }

                foreach (SendQueue queue in SendQueues)
                    queue.Clear();
                (_step, _prepared) = (_prepared?.Step == step ? _prepared : new(this, step), null);
            }

            return step == _step.Step ? _step : null;
        }
    }

    private static OperationCanceledException IsOver(long step) => new($"step {step} is over");

    private static IEnumerable<ChunkPlace> Cut(int part, int length, int workers)
    {
        int share = (length + workers - 1) / workers;
        int longest = Math.Min(share, Math.Clamp(share / OwnedChunks, ShortestChunk, LongestChunk));
        for (int first = 0; first < length; first += longest)
            yield return new(part, first, Math.Min(longest, length - first));
    }
}

/// <summary>A worker's number among all of its generation.</summary>
public readonly record struct WorkerRank(int Rank, int Workers)
{
    /// <summary>A worker without peers.</summary>
    public static WorkerRank Alone { get; } = new(0, 1);
}

/// <summary>Which floats of a part a chunk is.</summary>
internal readonly record struct ChunkPlace(int Part, int First, int Length)
{
    public Memory<float> Of(Memory<float> part) => part.Slice(First, Length);
}
