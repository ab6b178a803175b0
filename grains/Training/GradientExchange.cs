using System.Runtime.InteropServices;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Training;

/// <summary>The narrow door through which chunks leave a worker.</summary>
public interface IChunkDoor
{
    /// <summary>Completes when worker number <paramref name="rank"/> of the generation has taken the chunk.</summary>
    Task SendAsync(int rank, GradientChunk chunk);
}

/// <summary>
/// One worker's part in the all-reduce of a generation's gradients. Each chunk of the vector has one owner: the others send it
/// their partial sums (reduce-scatter), it adds them along the tree and sends the finished chunk to all (all-gather).
/// Chunks may come before this worker's own sums are ready. Safe to call from several threads.
/// </summary>
public sealed class GradientExchange(string run, int generation, ReductionTree tree, int workers, int rank, int length, IChunkDoor door)
{
    private const int LongestChunk = 1 << 18; // floats; 1 MB

    private const int MostInFlight = 8;

    private readonly int chunkLength = Math.Min(LongestChunk, (length + workers - 1) / workers);
    private readonly Lock gate = new();
    private Round round = new(-1, 0, 0);
    private bool abandoned;

    private int Chunks => (length + chunkLength - 1) / chunkLength;

    /// <summary>
    /// Gives this worker's partial sums, [length] each, and completes with the sum over all shards.
    /// </summary>
    /// <param name="reduced">Told when the chunks that this worker owns are summed: from then on it waits for those of others.</param>
    /// <exception cref="OperationCanceledException">The exchange was abandoned, or a chunk of a later step came: the generation went on without this worker.</exception>
    public async Task<float[]> ExchangeAsync(long step, IReadOnlyDictionary<ShardRange, float[]> partialSums, Action? reduced = null)
    {
        if (workers == 1)
        {
            reduced?.Invoke();
            return partialSums[tree.Root];
        }

        List<(int Rank, GradientChunk Chunk)> finished = [];
        Round current;
        lock (gate)
        {
            current = RoundOf(step) ?? throw new OperationCanceledException($"step {step} is over");
            for (int chunk = rank; chunk < Chunks; chunk += workers)
            {
                foreach ((ShardRange node, float[] sum) in partialSums)
                    Add(current, chunk, node, Slice(sum, chunk).ToArray(), finished);
            }
        }

        await SendAsync(finished.Concat(Partials(step, partialSums)));
        await current.Reduced.Task;
        reduced?.Invoke();
        await current.Finished.Task;
        return current.Result;
    }

    /// <summary>
    /// Takes a chunk from a peer. Chunks of other generations or of earlier steps are refused; one that comes twice counts once.
    /// </summary>
    /// <returns>Completes when what the chunk finished has been sent on.</returns>
    public Task ReceiveAsync(GradientChunk chunk)
    {
        List<(int Rank, GradientChunk Chunk)> outgoing = [];
        lock (gate)
        {
            if (chunk.Run != run || chunk.Generation != generation || RoundOf(chunk.Step) is not { } current)
                return Task.CompletedTask;
            ReadOnlySpan<float> values = MemoryMarshal.Cast<byte, float>(chunk.Data.Span);
            if (chunk.Kind == ChunkKind.Finished)
                Finish(current, chunk.Chunk, values);
            else
                Add(current, chunk.Chunk, new(chunk.FirstShard, chunk.EndShard), values.ToArray(), outgoing);
        }

        return SendAsync(outgoing);
    }

    /// <summary>Ends the wait of an exchange that its peers will not finish, and of any to come.</summary>
    public void Abandon()
    {
        lock (gate)
        {
            abandoned = true;
            round.Cancel();
        }
    }

    /// <summary>This worker's sums for the chunks of others, made as they are asked for.</summary>
    private IEnumerable<(int Rank, GradientChunk Chunk)> Partials(long step, IReadOnlyDictionary<ShardRange, float[]> partialSums) =>
        from chunk in Enumerable.Range(0, Chunks)
        where OwnerOf(chunk) != rank
        from sum in partialSums
        select (OwnerOf(chunk), Message(step, ChunkKind.Partial, chunk, sum.Key, Slice(sum.Value, chunk)));

    /// <summary>Keeps few chunks in flight: the receiver has no other way to slow its senders down.</summary>
    private async Task SendAsync(IEnumerable<(int Rank, GradientChunk Chunk)> outgoing)
    {
        var inFlight = new Queue<Task>();
        foreach ((int to, GradientChunk chunk) in outgoing)
        {
            if (inFlight.Count == MostInFlight)
                await inFlight.Dequeue();
            inFlight.Enqueue(door.SendAsync(to, chunk));
        }

        await Task.WhenAll(inFlight);
    }

    private int OwnerOf(int chunk) => chunk % workers;

    private Span<float> Slice(float[] vector, int chunk)
    {
        int first = chunk * chunkLength;
        return vector.AsSpan(first, Math.Min(chunkLength, length - first));
    }

    /// <summary>The state of a step's exchange, begun if the step is new; null if it is over.</summary>
    private Round? RoundOf(long step)
    {
        if (abandoned)
            return null;
        if (step > round.Step)
        {
            round.Cancel();
            round = new(step, Chunks, own: (Chunks - rank + workers - 1) / workers) { Result = new float[length] };
        }

        return step == round.Step ? round : null;
    }

    private void Add(Round current, int chunk, ShardRange node, float[] values, List<(int Rank, GradientChunk Chunk)> outgoing)
    {
        if (!current.Taken.Add((chunk, node)))
            return;
        TreeSum sum = current.Sums[chunk] ??= new(tree);
        sum.Add(node, values);
        if (!sum.TryGetTotal(out float[] total))
            return;
        Finish(current, chunk, total);
        GradientChunk finished = Message(current.Step, ChunkKind.Finished, chunk, tree.Root, total);
        for (int other = 0; other < workers; other++)
        {
            if (other != rank)
                outgoing.Add((other, finished));
        }
    }

    private void Finish(Round current, int chunk, ReadOnlySpan<float> total)
    {
        if (current.Done[chunk])
            return;
        total.CopyTo(Slice(current.Result, chunk));
        current.Done[chunk] = true;
        current.Sums[chunk] = null;
        if (OwnerOf(chunk) == rank && --current.OwnMissing == 0)
            current.Reduced.TrySetResult();
        if (--current.Missing == 0)
            current.Finished.TrySetResult();
    }

    private GradientChunk Message(long step, ChunkKind kind, int chunk, ShardRange node, ReadOnlySpan<float> values) =>
        new(run, generation, step, kind, chunk, node.First, node.End, MemoryMarshal.AsBytes(values).ToArray());

    private sealed class Round(long step, int chunks, int own)
    {
        public long Step => step;

        public TreeSum?[] Sums { get; } = new TreeSum?[chunks];

        public HashSet<(int Chunk, ShardRange Node)> Taken { get; } = [];

        public bool[] Done { get; } = new bool[chunks];

        public int Missing { get; set; } = chunks;

        public int OwnMissing { get; set; } = own;

        public float[] Result { get; init; } = [];

        public TaskCompletionSource Reduced { get; } = Signal(isSet: own == 0);

        public TaskCompletionSource Finished { get; } = Signal(isSet: false);

        public void Cancel()
        {
            Reduced.TrySetCanceled();
            Finished.TrySetCanceled();
        }

        private static TaskCompletionSource Signal(bool isSet)
        {
            var signal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (isSet)
                signal.SetResult();
            return signal;
        }
    }
}
