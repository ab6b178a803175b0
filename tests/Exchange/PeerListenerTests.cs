using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange.Handshakes;

namespace PixelCnnCluster.Exchange.Tests;

/// <summary>The first of two workers, its listener, and what a peer says to it over real sockets.</summary>
public sealed class PeerListenerTests : IAsyncLifetime
{
    private static readonly PeerGreeting Greeting = new("run", 3, "second", Guid.Empty);

    /// <summary>Four floats in two chunks, of which the first worker owns the first.</summary>
    private readonly GradientExchange _exchange;
    private readonly CancellationTokenSource _over = new();
    private readonly Warnings _warnings = new();
    private readonly HandshakeGate _gate;
    private readonly PeerListener _listener;

    public PeerListenerTests()
    {
        _exchange = new(new(2), new(0, 2), [4], WireFormat.Float32, over: _over.Token);
        _gate = new(new(TimeProvider.System, NullLogger<RefusalLog>.Instance), TimeProvider.System);
        _listener = new(new(IPAddress.Loopback, 0), tls: null, _gate, greeting => greeting == Greeting ? _exchange : null, _warnings);
    }

    public async ValueTask InitializeAsync() => await _listener.StartAsync(TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _listener.StopAsync(TestContext.Current.CancellationToken);
        _listener.Dispose();
        _gate.Dispose();
        _over.Dispose();
    }

    [Theory]
    [InlineData(WireFormat.Float32)]
    [InlineData(WireFormat.Bf16)]
    public async Task Two_workers_sum_their_gradients(WireFormat wire)
    {
        const int Length = 300_000;
        float[][] gradients = [[.. Enumerable.Range(0, Length).Select(i => i % 100f)],
            [.. Enumerable.Range(0, Length).Select(i => i % 28f)]];
        using var ended = new CancellationTokenSource();
        GradientExchange[] exchanges = [.. Enumerable.Range(0, 2).Select(
            rank => new GradientExchange(new(2), new(rank, 2), [Length], wire, over: ended.Token))];
        PeerListener[] listeners = [.. exchanges.Select(
            exchange => new PeerListener(
                new(IPAddress.Loopback, 0), tls: null, _gate, _ => exchange, NullLogger<PeerListener>.Instance))];
        try
        {
            foreach (PeerListener each in listeners)
                await each.StartAsync(TestContext.Current.CancellationToken);
            var network = new PeerNetwork(worker => Task.FromResult(listeners[worker[0] - '0'].Address), tls: null);
            for (int rank = 0; rank < 2; rank++)
                new PeerLinks(network, new("run", 1, $"{rank}", Guid.Empty), TimeProvider.System, NullLogger.Instance).Start(
                    exchanges[rank], ["0", "1"]);
            for (long step = 0; step < 3; step++)
            {
                AllReduceStep[] rounds = [.. exchanges.Select(
                    (exchange, rank) => SecondWorker.Begin(exchange, step, rank, gradients[rank]))];
                foreach (float[] sum in await Task.WhenAll(rounds.Select(SumAsync)))
                    Assert.Equal(gradients[0].Zip(gradients[1], (one, other) => one + other), sum);
            }
        }
        finally
        {
            await ended.CancelAsync();
            foreach (PeerListener each in listeners)
            {
                await each.StopAsync(TestContext.Current.CancellationToken);
                each.Dispose();
            }
        }
    }

    [Fact]
    public async Task Of_a_peers_connections_the_newest_counts_and_those_before_are_ended()
    {
        (Socket peer, AllReduceStep step) = await StuckAsync();
        using Socket stuck = peer, next = await ConnectAsync();
        await EndAsync(stuck);
        await next.SendAsync(SecondWorker.Sends(WireFormat.Float32), TestContext.Current.CancellationToken);
        Assert.Equal(SecondWorker.Sum, await SumAsync(step));
    }

    [Fact]
    public async Task Whoever_is_not_in_the_generation_or_says_something_else_is_hung_up_on()
    {
        using Socket late = await ConnectAsync(Greeting with { Generation = 2 });
        await EndAsync(late);
        using Socket nonsense = await ConnectAsync([4, 0, 0, 0, 1, 2, 3, 4]);
        await EndAsync(nonsense);
        using Socket endless = await ConnectAsync([255, 255, 255, 127]);
        await EndAsync(endless);
        using Socket wrong = await ConnectAsync();
        await wrong.SendAsync(
            SecondWorker.Bytes(new(new(0, ChunkKind.Finished, 0, new(0, 2)), new float[] { 1, 1 }), WireFormat.Float32),
            TestContext.Current.CancellationToken);
        await EndAsync(wrong);
        // None of the three was merely silent for too long.
        Assert.Equal(3, _warnings.Texts.Count);
    }

    [Fact]
    public async Task A_connection_ends_with_its_generation()
    {
        using Socket peer = (await StuckAsync()).Peer;
        await _over.CancelAsync();
        await EndAsync(peer);
    }

    [Fact]
    public async Task Of_many_who_say_nothing_the_oldest_are_hung_up_on_and_a_peer_is_served()
    {
        List<Socket> silent = [];
        for (int i = 0; i < 200; i++)
            silent.Add(await ConnectAsync([]));
        AllReduceStep step = SecondWorker.Meets(_exchange);
        using Socket peer = await ConnectAsync();
        await peer.SendAsync(SecondWorker.Sends(WireFormat.Float32), TestContext.Current.CancellationToken);

        Assert.Equal(SecondWorker.Sum, await SumAsync(step));
        foreach (Socket socket in silent[..(200 - HandshakeGate.MostOfOneAddress)])
            await EndAsync(socket);
        silent.ForEach(socket => socket.Dispose());
    }

    /// <summary>A connection on which a step's last byte does not come, and the step that waits for it.</summary>
    private async Task<(Socket Peer, AllReduceStep Round)> StuckAsync()
    {
        AllReduceStep step = SecondWorker.Meets(_exchange);
        Socket peer = await ConnectAsync();
        await peer.SendAsync(SecondWorker.Sends(WireFormat.Float32).AsMemory(..^1), TestContext.Current.CancellationToken);
        await step.Reduced.SoonAsync("reduced part");
        return (peer, step);
    }

    private static async Task<float[]> SumAsync(AllReduceStep step) => (await step.Whole.SoonAsync("sum"))[0].ToArray();

    private Task<Socket> ConnectAsync(PeerGreeting? greeting = null) => ConnectAsync((greeting ?? Greeting).ToBytes());

    private async Task<Socket> ConnectAsync(byte[] words)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPEndPoint.Parse(_listener.Address!), TestContext.Current.CancellationToken);
        await socket.SendAsync(words, TestContext.Current.CancellationToken);
        return socket;
    }

    private static async Task EndAsync(Socket socket)
    {
        try
        {
            Assert.Equal(
                0, await socket.ReceiveAsync(new byte[1], TestContext.Current.CancellationToken).AsTask()
                    .SoonAsync("end of the connection"));
        }
        catch (SocketException reset) when (reset.SocketErrorCode == SocketError.ConnectionReset)
        {
            // Also an end: what was sent was not read.
        }
    }

    private sealed class Warnings : ILogger<PeerListener>
    {
        public ConcurrentQueue<string> Texts { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Texts.Enqueue(formatter(state, exception));
    }
}
