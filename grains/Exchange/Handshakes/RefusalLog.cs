using System.Net;
using Microsoft.Extensions.Logging;

namespace PixelCnnCluster.Exchange.Handshakes;

/// <summary>
/// Tells the log of connections that were refused. Strangers who knock again and again get one line a minute for each kind of refusal.
/// </summary>
public sealed partial class RefusalLog(TimeProvider time, ILogger<RefusalLog> log)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    /// <summary>Protects what is below.</summary>
    private readonly Lock _gate = new();

    private readonly Dictionary<string, Untold> _untold = [];

    /// <param name="kind">Why, as one of a few.</param>
    /// <param name="reason">Why, for people.</param>
    public void Tell(string kind, EndPoint? peer, string reason)
    {
        lock (_gate)
        {
            if (_untold.TryGetValue(kind, out Untold? known))
            {
                (known.Count, known.Peer, known.Reason) = (known.Count + 1, peer, reason);
                return;
            }

            _untold[kind] = new();
        }

        LogRefused(log, peer, reason);
        _ = TellLaterAsync(kind);
    }

    private async Task TellLaterAsync(string kind)
    {
        while (true)
        {
            await Task.Delay(Interval, time).ConfigureAwait(false);
            Untold minute;
            lock (_gate)
            {
                minute = _untold[kind];
                if (minute.Count == 0)
                {
                    _untold.Remove(kind);
                    return;
                }

                _untold[kind] = new();
            }

            LogMore(log, minute.Count, minute.Peer, minute.Reason);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A connection with {Peer} was refused: {Reason}")]
    private static partial void LogRefused(ILogger log, EndPoint? peer, string? reason);

    [LoggerMessage(
        Level = LogLevel.Warning, Message = "{Count} connections were refused in the last minute, the last with {Peer}: {Reason}")]
    private static partial void LogMore(ILogger log, int count, EndPoint? peer, string? reason);

    /// <summary>Refusals of one kind since the last line about it.</summary>
    private sealed class Untold
    {
        public int Count { get; set; }

        public EndPoint? Peer { get; set; }

        public string? Reason { get; set; }
    }
}
