using Microsoft.Extensions.Logging;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors;

/// <summary>
/// Brings one peer what the exchange has for it, as long as the generation lasts. A connection that breaks is made anew and everything of the step sent again,
/// unless the peer's process has ended.
/// </summary>
public sealed partial class PeerLink
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100), QuietFor = TimeSpan.FromSeconds(5), EndingTime = TimeSpan.FromMilliseconds(20);

    private readonly IPeerNetwork network;
    private readonly PeerGreeting greeting;
    private readonly string to;
    private readonly SendQueue outbox;
    private readonly WireFormat wire;
    private readonly Action<int> sent;
    private readonly Action<string> gone;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly CancellationToken over;

    private PeerLink(
        IPeerNetwork network, PeerGreeting greeting, string to, SendQueue outbox, WireFormat wire, Action<int> sent, Action<string> gone, TimeProvider time, ILogger log, CancellationToken over)
    {
        this.network = network;
        this.greeting = greeting;
        this.to = to;
        this.outbox = outbox;
        this.wire = wire;
        this.sent = sent;
        this.gone = gone;
        this.time = time;
        this.log = log;
        this.over = over;
    }

    /// <summary>Links a worker with all others of its generation.</summary>
    /// <param name="greeting">The worker's.</param>
    /// <param name="workers">All of the generation, by number.</param>
    /// <param name="sent">Told the bytes that were sent.</param>
    /// <param name="gone">Told a worker whose connection broke and whose process has ended.</param>
    /// <param name="over">Ends the links.</param>
    public static void Start(
        GradientExchange exchange, PeerGreeting greeting, IReadOnlyList<string> workers, IPeerNetwork network, Action<int> sent, Action<string> gone,
        TimeProvider time, ILogger log, CancellationToken over)
    {
        foreach ((int number, string worker) in workers.Index().Where(other => other.Item != greeting.Worker))
            _ = new PeerLink(network, greeting, worker, exchange.SendQueues[number], exchange.Wire, sent, gone, time, log, over).RunAsync();
    }

    private async Task RunAsync()
    {
        long working = time.GetTimestamp();
        bool wasReached = false;
        while (!over.IsCancellationRequested)
        {
            try
            {
                await using IPeerConnection connection = await network.ConnectAsync(to, greeting, over);
                wasReached = true;
                using var broken = CancellationTokenSource.CreateLinkedTokenSource(over, connection.Lost);
                outbox.Rewind();
                while (true)
                {
                    await outbox.NewsAsync(broken.Token);
                    working = time.GetTimestamp();
                    while (outbox.TryNext(out Chunk next))
                        sent(await connection.SendAsync(next, wire, broken.Token));
                }
            }
            catch (Exception fault)
            {
                if (over.IsCancellationRequested)
                    return;
                if (wasReached && await IsGoneAsync())
                    gone(to);
                if (time.GetElapsedTime(working) > QuietFor)
                {
                    LogUnreachable(log, fault, greeting.Run, greeting.Generation, greeting.Worker, to);
                    working = time.GetTimestamp();
                }
            }

            await Task.Delay(RetryDelay, time, over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }
    }

    /// <summary>Looks twice: a process that ends closes its connections before the port that it listens at, or after.</summary>
    private async Task<bool> IsGoneAsync()
    {
        try
        {
            if (await network.IsGoneAsync(to, over))
                return true;
            await Task.Delay(EndingTime, time, over);
            return await network.IsGoneAsync(to, over);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Run {Run}, generation {Generation}: {Worker} brings no gradients to {Peer} and goes on trying; see whether Silo:DataPort can be reached there")]
    private static partial void LogUnreachable(ILogger log, Exception fault, string run, int generation, string worker, string peer);
}
