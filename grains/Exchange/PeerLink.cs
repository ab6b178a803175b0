using Microsoft.Extensions.Logging;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Exchange;

/// <summary>
/// Brings one peer what the exchange has for it, as long as the generation lasts. A connection that breaks is made anew and everything of
/// the step sent again, unless the peer's process has ended.
/// </summary>
public sealed partial class PeerLink
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100), QuietFor = TimeSpan.FromSeconds(5),
        EndingTime = TimeSpan.FromMilliseconds(20);

    private readonly IPeerNetwork _network;
    private readonly PeerGreeting _greeting;
    private readonly string _to;
    private readonly SendQueue _queue;
    private readonly WireFormat _wire;
    private readonly Action<int> _sent;
    private readonly Action<string> _gone;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly CancellationToken _over;

    private PeerLink(
        IPeerNetwork network, PeerGreeting greeting, string to, SendQueue queue, WireFormat wire, Action<int> sent, Action<string> gone,
        TimeProvider time, ILogger log, CancellationToken over)
    {
        _network = network;
        _greeting = greeting;
        _to = to;
        _queue = queue;
        _wire = wire;
        _sent = sent;
        _gone = gone;
        _time = time;
        _log = log;
        _over = over;
    }

    /// <summary>Links a worker with all others of its generation.</summary>
    /// <param name="greeting">The worker's.</param>
    /// <param name="workers">All of the generation, by number.</param>
    /// <param name="sent">Told the bytes that were sent.</param>
    /// <param name="gone">Told a worker whose connection broke and whose process has ended.</param>
    /// <param name="over">Ends the links.</param>
    public static void Start(
        GradientExchange exchange, PeerGreeting greeting, IReadOnlyList<string> workers, IPeerNetwork network, Action<int> sent,
        Action<string> gone,
        TimeProvider time, ILogger log, CancellationToken over)
    {
        foreach ((int number, string worker) in workers.Index().Where(other => other.Item != greeting.Worker))
            _ = new PeerLink(network, greeting, worker, exchange.SendQueues[number], exchange.Wire, sent, gone, time, log, over).RunAsync();
    }

    private async Task RunAsync()
    {
        long working = _time.GetTimestamp();
        bool wasReached = false;
        while (!_over.IsCancellationRequested)
        {
            try
            {
                await using IPeerConnection connection = await _network.ConnectAsync(_to, _greeting, _over);
                wasReached = true;
                using var broken = CancellationTokenSource.CreateLinkedTokenSource(_over, connection.Lost);
                _queue.Rewind();
                while (true)
                {
                    await _queue.NewsAsync(broken.Token);
                    working = _time.GetTimestamp();
                    while (_queue.TryNext(out Chunk next))
                        _sent(await connection.SendAsync(next, _wire, broken.Token));
                }
            }
            catch (Exception fault)
            {
                if (_over.IsCancellationRequested)
                    return;
                if (wasReached && await IsGoneAsync())
                    _gone(_to);
                if (_time.GetElapsedTime(working) > QuietFor)
                {
                    LogUnreachable(_log, fault, _greeting.Run, _greeting.Generation, _greeting.Worker, _to);
                    working = _time.GetTimestamp();
                }
            }

            await Task.Delay(RetryDelay, _time, _over).ConfigureAwait(
                ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }
    }

    /// <summary>Looks twice: a process that ends closes its connections before the port that it listens at, or after.</summary>
    private async Task<bool> IsGoneAsync()
    {
        try
        {
            if (await _network.IsGoneAsync(_to, _over))
                return true;
            await Task.Delay(EndingTime, _time, _over);
            return await _network.IsGoneAsync(_to, _over);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Run {Run}, generation {Generation}: {Worker} brings no gradients to {Peer} and goes on trying; see whether " +
            "Silo:DataPort can be reached there")]
    private static partial void LogUnreachable(ILogger log, Exception fault, string run, int generation, string worker, string peer);
}
