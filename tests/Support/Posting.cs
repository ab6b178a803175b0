using PixelCnnCluster.Exchange;
using Xunit;

namespace PixelCnnCluster.Support;

/// <summary>Workers' exchanges whose chunks are handed over in an order that a seed decides, as they would come over connections.</summary>
public sealed class Posting(IReadOnlyList<GradientExchange> workers, int seed = 1)
{
    private readonly Random _random = new(seed);
    private readonly List<Action> _onTheWay = [];

    /// <summary>Hands over what there is, and what that brings.</summary>
    public void Deliver()
    {
        while (Collect())
        {
            int pick = _random.Next(_onTheWay.Count);
            Action deliver = _onTheWay[pick];
            _onTheWay.RemoveAt(pick);
            deliver();
        }
    }

    /// <summary>Has every chunk sent once more, as after a broken connection.</summary>
    public void Again()
    {
        foreach ((int from, int to) in Pairs())
            workers[from].SendQueues[to].Rewind();
    }

    public static void Hand(GradientExchange worker, ChunkHeader header, float[] values)
    {
        Assert.Equal(values.Length, worker.LengthOf(header));
        if (worker.Open(header) is not { } target)
            return;
        values.CopyTo(target);
        worker.Close(header, target);
    }

    private bool Collect()
    {
        foreach ((int from, int to) in Pairs())
        {
            while (workers[from].SendQueues[to].TryNext(out Chunk chunk))
            {
                (ChunkHeader header, float[] values) = (chunk.Header, chunk.Values.ToArray());
                _onTheWay.Add(() => Hand(workers[to], header, values));
            }
        }

        return _onTheWay.Count > 0;
    }

    private IEnumerable<(int From, int To)> Pairs() =>
        from sender in Enumerable.Range(0, workers.Count)
        from receiver in Enumerable.Range(0, workers.Count)
        where sender != receiver
        select (sender, receiver);
}
