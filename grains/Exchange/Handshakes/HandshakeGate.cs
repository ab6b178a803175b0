using System.Collections.Concurrent;
using System.Net;

namespace PixelCnnCluster.Exchange.Handshakes;

/// <summary>
/// Bounds the connections whose peers have not shown yet who they are, on all ports of a silo together. When there are too many, the
/// oldest of the address that has most is ended: an honest peer's handshake takes milliseconds. What handshakes compute is computed on a
/// thread of its own, so that strangers do not take the threads that answer the membership's probes.
/// </summary>
public sealed class HandshakeGate : IDisposable
{
    /// <summary>In all, and from one address.</summary>
    public const int Most = 128, MostOfOneAddress = 32;

    /// <summary>A peer that has not shown who it is by then is hung up on.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly RefusalLog _refusals;
    private readonly TimeProvider _time;
    private readonly BlockingCollection<Action> _work = [];

    /// <summary>Protects <see cref="_oldestFirst"/>.</summary>
    private readonly Lock _gate = new();

    private readonly List<Visitor> _oldestFirst = [];

    /// <param name="refusals">Hears of connections that are ended.</param>
    public HandshakeGate(RefusalLog refusals, TimeProvider time)
    {
        _refusals = refusals;
        _time = time;
        new Thread(Work) { Name = "handshakes", IsBackground = true }.Start();
    }

    /// <summary>Lets a connection in, at the cost of another if there are too many.</summary>
    /// <param name="end">Ends the connection.</param>
    /// <returns>To be disposed of when the peer has shown who it is, or the connection has ended.</returns>
    public IDisposable Enter(EndPoint? peer, Action end)
    {
        var visitor = new Visitor(this, peer, end);
        Visitor? surplus;
        lock (_gate)
        {
            _oldestFirst.Add(visitor);
            surplus = Surplus(visitor.Address);
        }

        if (surplus is not null)
            Refuse(surplus, "crowd", "it had not shown who it is, and there were too many like it");
        visitor.Deadline = _time.CreateTimer(
            _ => Refuse(visitor, "silence", $"it did not show who it is within {Timeout.TotalSeconds} s"), null, Timeout,
            System.Threading.Timeout.InfiniteTimeSpan);
        return visitor;
    }

    /// <summary>Awaits something such that what comes next goes on on the thread of the handshakes.</summary>
    public ValueTask<T> GoOnApart<T>(ValueTask<T> awaited)
    {
        // Continuations are called where it is completed, as nothing is said against that.
        var here = new TaskCompletionSource<T>();
        _ = CompleteAsync();
        return new(here.Task);

        async Task CompleteAsync()
        {
            try
            {
                T result = await awaited.ConfigureAwait(false);
                Post(() => here.TrySetResult(result));
            }
            catch (OperationCanceledException cancelled)
            {
                Post(() => here.TrySetCanceled(cancelled.CancellationToken));
            }
            catch (Exception fault)
            {
                Post(() => here.TrySetException(fault));
            }
        }
    }

    /// <summary>Ends the thread when it has done what it was given.</summary>
    public void Dispose() => _work.CompleteAdding();

    private Visitor? Surplus(IPAddress newcomer)
    {
        if (_oldestFirst.Count(visitor => visitor.Address.Equals(newcomer)) > MostOfOneAddress)
            return OldestOf(newcomer);
        return _oldestFirst.Count > Most ? OldestOf(_oldestFirst.CountBy(visitor => visitor.Address).MaxBy(pair => pair.Value).Key) : null;

        Visitor OldestOf(IPAddress address) => _oldestFirst.First(visitor => visitor.Address.Equals(address));
    }

    private void Post(Action work)
    {
        try
        {
            _work.Add(work);
        }
        catch (InvalidOperationException)
        {
            // The silo ends; whoever waits is not left.
            work();
        }
    }

    private void Work()
    {
        foreach (Action work in _work.GetConsumingEnumerable())
            work();
    }

    private void Refuse(Visitor visitor, string kind, string reason)
    {
        if (!Leave(visitor))
            return;
        _refusals.Tell(kind, visitor.Peer, reason);
        visitor.End();
    }

    /// <returns>Whether it was still here.</returns>
    private bool Leave(Visitor visitor)
    {
        lock (_gate)
            return _oldestFirst.Remove(visitor);
    }

    /// <summary>A connection whose peer has not shown who it is.</summary>
    private sealed class Visitor(HandshakeGate gate, EndPoint? peer, Action end) : IDisposable
    {
        public EndPoint? Peer => peer;

        public IPAddress Address { get; } = (peer as IPEndPoint)?.Address ?? IPAddress.None;

        public void End() => end();

        public ITimer? Deadline { get; set; }

        public void Dispose()
        {
            gate.Leave(this);
            Deadline?.Dispose();
        }
    }
}
