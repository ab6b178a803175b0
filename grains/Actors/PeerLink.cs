using Microsoft.Extensions.Logging;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors;

/// <summary>
/// Brings one peer what the exchange has for it, as long as the generation lasts. A connection that breaks is made anew and everything of the step sent again:
/// whether a peer is lost is not for a worker to decide.
/// </summary>
public sealed partial class PeerLink
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100), QuietFor = TimeSpan.FromSeconds(5);

    private readonly IPeerNetwork network;
    private readonly PeerGreeting greeting;
    private readonly string to;
    private readonly Outbox outbox;
    private readonly WireFormat wire;
    private readonly Action<int> sent;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly CancellationToken over;

    private PeerLink(IPeerNetwork network, PeerGreeting greeting, string to, Outbox outbox, WireFormat wire, Action<int> sent, TimeProvider time, ILogger log, CancellationToken over) =>
        (this.network, this.greeting, this.to, this.outbox, this.wire, this.sent, this.time, this.log, this.over) = (network, greeting, to, outbox, wire, sent, time, log, over);

    /// <summary>Links a worker with all others of its generation.</summary>
    /// <param name="greeting">The worker's.</param>
    /// <param name="workers">All of the generation, by number.</param>
    /// <param name="sent">Told the bytes that were sent.</param>
    /// <param name="over">Ends the links.</param>
    public static void Start(
        GradientExchange exchange, PeerGreeting greeting, IReadOnlyList<string> workers, IPeerNetwork network, Action<int> sent, TimeProvider time, ILogger log, CancellationToken over)
    {
        foreach ((int number, string worker) in workers.Index().Where(other => other.Item != greeting.Worker))
            _ = new PeerLink(network, greeting, worker, exchange.Outboxes[number], exchange.Wire, sent, time, log, over).RunAsync();
    }

    private async Task RunAsync()
    {
        long working = time.GetTimestamp();
        while (!over.IsCancellationRequested)
        {
            try
            {
                await using IPeerConnection connection = await network.ConnectAsync(to, greeting, over);
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
                if (time.GetElapsedTime(working) > QuietFor)
                {
                    LogUnreachable(log, fault, greeting.Run, greeting.Generation, greeting.Worker, to);
                    working = time.GetTimestamp();
                }
            }

            await Task.Delay(RetryDelay, time, over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Run {Run}, generation {Generation}: {Worker} brings no gradients to {Peer} and goes on trying; see whether Silo:DataPort can be reached there")]
    private static partial void LogUnreachable(ILogger log, Exception fault, string run, int generation, string worker, string peer);
}
