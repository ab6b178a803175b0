using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using PixelCnnCluster.Actors;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Silo.Peers;

/// <summary>Takes the connections of other silos' workers, over mutual TLS where the cluster has certificates, and hands their chunks to the worker's exchange.</summary>
/// <param name="find">The exchange that a peer's chunks are for; null to hang up.</param>
public sealed partial class PeerListener(Func<PeerGreeting, GradientExchange?> find, ILogger<PeerListener> log) : ConnectionHandler, IDataEndpoint
{
    private static readonly TimeSpan GreetingPatience = TimeSpan.FromSeconds(10);

    private ListenOptions? listening;
    private bool isBound;

    /// <inheritdoc/>
    public string? Address => isBound ? listening!.IPEndPoint!.ToString() : null;

    /// <summary>Adds the port to the web server's. 0 takes a free one.</summary>
    public void Listen(KestrelServerOptions server, IPEndPoint endpoint, ClusterCertificates? certificates, IHostApplicationLifetime application)
    {
        server.Listen(endpoint, options =>
        {
            listening = options;
            if (certificates is not null)
                options.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = context => new(certificates.ServerOptions(context.Connection.RemoteEndPoint)) });
            options.Run(OnConnectedAsync);
        });
        application.ApplicationStarted.Register(() => isBound = true);
    }

    /// <inheritdoc/>
    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        PipeReader reader = connection.Transport.Input;
        PeerGreeting? greeting = null;
        try
        {
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(
                connection.ConnectionClosed, connection.Features.Get<Microsoft.AspNetCore.Connections.Features.IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default);
            using (var patience = CancellationTokenSource.CreateLinkedTokenSource(ended.Token))
            {
                patience.CancelAfter(GreetingPatience);
                greeting = await PeerGreeting.ReadAsync(reader, patience.Token);
            }

            if (find(greeting) is { } exchange)
                await ChunkStream.ReceiveAsync(reader, exchange, ended.Token);
        }
        catch (Exception fault) when (fault is IOException or OperationCanceledException or ConnectionAbortedException)
        {
            // The peer makes another, if the generation is not over.
        }
        catch (InvalidDataException fault)
        {
            LogNonsense(log, fault, connection.RemoteEndPoint, greeting?.Run, greeting?.Generation, greeting?.Worker);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A connection from {Peer} was ended; run {Run}, generation {Generation}, worker {Worker}")]
    private static partial void LogNonsense(ILogger log, Exception fault, EndPoint? peer, string? run, int? generation, string? worker);
}
