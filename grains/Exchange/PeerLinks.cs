using Microsoft.Extensions.Logging;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Exchange;

/// <summary>
/// A worker's links with the others of its generation: each brings one peer what the exchange has for it, as long as the generation lasts.
/// A link makes a broken connection anew and sends everything of the step again, unless the peer's process has ended.
/// </summary>
/// <param name="greeting">The worker's.</param>
public sealed partial class PeerLinks(IPeerNetwork network, PeerGreeting greeting, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100), QuietFor = TimeSpan.FromSeconds(5),
        EndingTime = TimeSpan.FromMilliseconds(20);

    /// <summary>Told the bytes that were sent.</summary>
    public Action<int> Sent { get; init; } = _ => { };

    /// <summary>Told a worker whose connection broke and whose process has ended.</summary>
    public Action<string> Gone { get; init; } = _ => { };

    /// <summary>Links the worker with all others of its generation, until the exchange is over.</summary>
    /// <param name="workers">All of the generation, by number.</param>
    public void Start(GradientExchange exchange, IReadOnlyList<string> workers)
    {
        foreach ((int number, string worker) in workers.Index().Where(other => other.Item != greeting.Worker))
            _ = RunAsync(worker, exchange.SendQueues[number], exchange.Wire, exchange.Over);
    }

    private async Task RunAsync(string to, SendQueue queue, WireFormat wire, CancellationToken over)
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
                queue.Rewind();
                while (true)
                {
                    await queue.NewsAsync(broken.Token);
                    working = time.GetTimestamp();
                    while (queue.TryNext(out Chunk next))
                        Sent(await connection.SendAsync(next, wire, broken.Token));
                }
            }
            catch (Exception fault)
            {
                if (over.IsCancellationRequested)
                    return;
                if (wasReached && await IsGoneAsync(to, over))
                    Gone(to);
                if (time.GetElapsedTime(working) > QuietFor)
                {
                    LogUnreachable(log, fault, greeting.Run, greeting.Generation, greeting.Worker, to);
                    working = time.GetTimestamp();
                }
            }

            await Task.Delay(RetryDelay, time, over).ConfigureAwait(
                ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }
    }

    /// <summary>Looks twice: a process that ends closes its connections before the port that it listens at, or after.</summary>
    private async Task<bool> IsGoneAsync(string to, CancellationToken over)
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

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Run {Run}, generation {Generation}: {Worker} brings no gradients to {Peer} and goes on trying; see whether " +
            "Silo:DataPort can be reached there")]
    private static partial void LogUnreachable(ILogger log, Exception fault, string run, int generation, string worker, string peer);
}
