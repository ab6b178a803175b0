using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;
using PixelCnnCluster.Exchange.Handshakes;

namespace PixelCnnCluster.Benchmarks;

/// <summary>One process of <see cref="AllReduce"/>, with the listener, the links and the exchange of a silo.</summary>
internal sealed class AllReducePeer(int number, int silos, int floats, WireFormat wire)
{
    private readonly GradientExchange _exchange = new(new(silos), new(number, silos), [floats], wire);
    private readonly byte[] _rawOut = new byte[(long)floats * 4], _rawIn = new byte[(long)floats * 4];
    private Socket[] _rawTo = [], _rawFrom = [];
    private AllReduceStep? _reduce;
    private Memory<float> _own;
    private long _step;

    public static Command Command()
    {
        Option<int> number = new("--number"), silos = new("--silos"), floats = new("--floats");
        Option<WireFormat> wire = new("--wire");
        var command = new Command("all-reduce-peer", "A process of all-reduce.") { number, silos, floats, wire };
        command.Hidden = true;
        command.SetAction(
            parsed => new AllReducePeer(
                parsed.GetValue(number), parsed.GetValue(silos), parsed.GetValue(floats), parsed.GetValue(wire)).RunAsync());
        return command;
    }

    private async Task RunAsync()
    {
        using var gate = new HandshakeGate(new(TimeProvider.System, NullLogger<RefusalLog>.Instance), TimeProvider.System);
        using var listener = new PeerListener(
            new(IPAddress.Loopback, 0), tls: null, gate, _ => _exchange, NullLogger<PeerListener>.Instance);
        await listener.StartAsync(CancellationToken.None);
        using var rawListener = new TcpListener(IPAddress.Loopback, 0);
        rawListener.Start();
        Console.ReadLine();
        Console.WriteLine($"{listener.Address},{rawListener.LocalEndpoint}");
        string[][] peers = [.. Console.ReadLine()!.Split(' ').Select(addresses => addresses.Split(','))];
        var network = new PeerNetwork(
            worker => Task.FromResult<string?>(peers[int.Parse(worker, CultureInfo.InvariantCulture)][0]), tls: null);
        new PeerLinks(network, new("run", 1, $"{number}", Guid.Empty), TimeProvider.System, NullLogger.Instance).Start(
            _exchange, [.. Enumerable.Range(0, silos).Select(peer => $"{peer}")]);
        _rawTo = [.. peers.Where((_, peer) => peer != number).Select(peer => Connect(IPEndPoint.Parse(peer[1])))];
        _rawFrom = [.. Enumerable.Range(0, silos - 1).Select(_ => rawListener.AcceptSocket())];
        Console.WriteLine("connected");
        while (Console.ReadLine() is { } order)
        {
            var clock = Stopwatch.StartNew();
            await (order switch { "fill" => Task.Run(Fill), "exchange" => ExchangeAsync(), _ => RawAsync() });
            Console.WriteLine(clock.Elapsed.TotalSeconds.ToString(CultureInfo.InvariantCulture));
        }

        await listener.StopAsync(CancellationToken.None);
    }

    private void Fill()
    {
        _reduce = _exchange.Begin(_step++);
        _own = _reduce.Rent(0);
        _own.Span.Fill(number + 1);
    }

    private async Task ExchangeAsync()
    {
        await Task.Run(() => _reduce!.Add(0, number, _own));
        ReadOnlyMemory<float> sum = (await _reduce!.Whole)[0];
        if (sum.Span[0] != silos * (silos + 1) / 2 || sum.Span[^1] != sum.Span[0])
            throw new InvalidOperationException("The sum is wrong.");
    }

    /// <summary>
    /// To each other process what the exchange sends it: its share of the sums, and the finished chunks that this one owns.
    /// </summary>
    private async Task RawAsync()
    {
        long bytes = 2L * floats / silos * (wire == WireFormat.Bf16 ? 2 : 4);
        await Task.WhenAll(
            [.. _rawTo.Select(socket => Task.Run(() => Send(socket, bytes))),
                .. _rawFrom.Select(socket => Task.Run(() => Receive(socket, bytes)))]);
    }

    private void Send(Socket socket, long bytes)
    {
        for (long sent = 0; sent < bytes;)
            sent += socket.Send(_rawOut.AsSpan((int)sent, (int)Math.Min(1 << 18, bytes - sent)));
    }

    private void Receive(Socket socket, long bytes)
    {
        for (long come = 0; come < bytes;)
            come += socket.Receive(_rawIn.AsSpan((int)come, (int)Math.Min(1 << 18, bytes - come)));
    }

    private static Socket Connect(IPEndPoint peer)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Connect(peer);
        return socket;
    }
}
