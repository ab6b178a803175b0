using Microsoft.Extensions.Logging;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors;

/// <summary>
/// Brings one peer what the exchange has for it, as long as the generation lasts. A connection that breaks is made anew and everything of the step sent again:
/// whether a peer is lost is not for a worker to decide.
/// </summary>
internal sealed partial class PeerLink(
    IPeerNetwork network, string to, PeerGreeting greeting, Outbox outbox, WireFormat wire, Action<int> sent, TimeProvider time, ILogger log, CancellationToken over)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100), QuietFor = TimeSpan.FromSeconds(5);

    public async Task RunAsync()
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
