using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using PixelCnnCluster.Exchange.Handshakes;

namespace PixelCnnCluster.Exchange;

/// <summary>
/// Takes the connections of other silos' workers, over mutual TLS where the cluster has certificates, and hands their chunks to the
/// worker's exchange.
/// </summary>
/// <param name="endpoint">Where to listen; port 0 takes a free one.</param>
/// <param name="gate">For connections whose peers have not said who they are.</param>
/// <param name="find">The exchange that a peer's chunks are for; null to hang up.</param>
public sealed partial class PeerListener(
    IPEndPoint endpoint, PeerTls? tls, HandshakeGate gate, Func<PeerGreeting, GradientExchange?> find, ILogger<PeerListener> log)
    : BackgroundService, IDataEndpoint
{
    private static readonly TimeSpan AcceptPause = TimeSpan.FromMilliseconds(100);

    private readonly Socket _listener = new(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
    private readonly Dictionary<PeerGreeting, Incoming> _newest = [];

    /// <inheritdoc/>
    public string? Address { get; private set; }

    /// <inheritdoc/>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        _listener.Bind(endpoint);
        _listener.Listen();
        Address = _listener.LocalEndPoint!.ToString();
        return base.StartAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _listener.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        HashSet<Task> serving = [];
        try
        {
            while (true)
            {
                try
                {
                    Socket socket = await _listener.AcceptAsync(stoppingToken);
                    var served = Task.Run(() => ServeAsync(socket, stoppingToken), CancellationToken.None);
                    lock (serving)
                        serving.Add(served);
                    _ = served.ContinueWith(Remove, TaskScheduler.Default);
                }
                catch (SocketException fault) when (!stoppingToken.IsCancellationRequested)
                {
                    LogNotAccepted(log, fault);
                    await Task.Delay(AcceptPause, stoppingToken);
                }
            }
        }
        finally
        {
            _listener.Dispose();
            Task[] left;
            lock (serving)
                left = [.. serving];
            await Task.WhenAll(left);
        }

        void Remove(Task served)
        {
            lock (serving)
                serving.Remove(served);
        }
    }

    private async Task ServeAsync(Socket socket, CancellationToken stopping)
    {
        EndPoint? peer = socket.RemoteEndPoint;
        PeerGreeting? greeting = null;
        BatchingStream plain = new(socket);
        Stream stream = plain;
        IDisposable? standing = null;
        try
        {
            using (gate.Enter(peer, socket.Dispose))
            {
                if (tls is not null)
                {
                    var secured = new SslStream(stream);
                    stream = secured;
                    plain.Handshake = gate;
                    await secured.AuthenticateAsServerAsync(tls.Server(peer), stopping);
                    plain.Handshake = null;
                    standing = tls.Watch(secured.RemoteCertificate!, socket.Dispose);
                    // Away from the thread of the handshakes.
                    await Task.Yield();
                }

                greeting = await PeerGreeting.ReadAsync(stream, stopping);
            }

            if (find(greeting) is { } exchange)
                await ReceiveAsync(stream, greeting, exchange, stopping);
        }
        catch (Exception fault)
            when (fault is IOException or OperationCanceledException or AuthenticationException or ObjectDisposedException)
        {
            // The peer makes another, if the generation is not over. Who shows a wrong certificate is told of where that is judged.
        }
        catch (Exception fault)
        {
            LogNonsense(log, fault, peer, greeting?.Run, greeting?.Generation, greeting?.Worker);
        }
        finally
        {
            standing?.Dispose();
            await stream.DisposeAsync();
        }
    }

    /// <summary>
    /// A peer that makes another connection has given up this one and sends everything again. What is still on its way here must not be
    /// written to where other things lie by then, so the new one waits until the old one has ended.
    /// </summary>
    private async Task ReceiveAsync(Stream stream, PeerGreeting greeting, GradientExchange exchange, CancellationToken stopping)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stopping, exchange.Over);
        var incoming = new Incoming(end, new(TaskCreationOptions.RunContinuationsAsynchronously));
        Incoming? older;
        lock (_newest)
        {
            _newest.TryGetValue(greeting, out older);
            _newest[greeting] = incoming;
            older?.End.Cancel();
        }

        try
        {
            if (older is not null)
                await older.Ended.Task;
            await ChunkStream.ReceiveAsync(stream, exchange, end.Token);
        }
        finally
        {
            lock (_newest)
            {
                if (_newest.GetValueOrDefault(greeting) == incoming)
                    _newest.Remove(greeting);
            }

            incoming.Ended.SetResult();
        }
    }

    [LoggerMessage(
        Level = LogLevel.Warning, Message = "A connection from {Peer} was ended; run {Run}, generation {Generation}, worker {Worker}")]
    private static partial void LogNonsense(ILogger log, Exception fault, EndPoint? peer, string? run, int? generation, string? worker);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A worker's connection could not be accepted; others will be")]
    private static partial void LogNotAccepted(ILogger log, Exception fault);

    private sealed record Incoming(CancellationTokenSource End, TaskCompletionSource Ended);
}
