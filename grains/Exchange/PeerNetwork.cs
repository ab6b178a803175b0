using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Exchange;

/// <summary>Connects to other silos' <see cref="PeerListener"/>.</summary>
/// <param name="locate">Where a worker listens, address:port; null while its silo starts.</param>
public sealed class PeerNetwork(Func<string, Task<string?>> locate, PeerTls? tls) : IPeerNetwork
{
    /// <summary>On one machine and in one data centre the answer comes in less than a millisecond.</summary>
    private static readonly TimeSpan RefusalTimeout = TimeSpan.FromMilliseconds(500);

    /// <summary>Where workers were reached last.</summary>
    private readonly ConcurrentDictionary<string, IPEndPoint> _reached = new();

    /// <inheritdoc/>
    public async Task<IPeerConnection> ConnectAsync(string worker, PeerGreeting greeting, CancellationToken cancel)
    {
        string address = await locate(worker).WaitAsync(cancel) ?? throw new IOException($"{worker} does not listen yet.");
        var endpoint = IPEndPoint.Parse(address);
        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        Stream? stream = null;
        IDisposable? standing = null;
        try
        {
            await socket.ConnectAsync(endpoint, cancel);
            stream = new NetworkStream(socket, ownsSocket: true);
            if (tls is not null)
            {
                var secured = new SslStream(stream);
                stream = secured;
                await secured.AuthenticateAsClientAsync(tls.Client(endpoint), cancel);
                standing = tls.Watch(secured.RemoteCertificate!, socket.Dispose);
            }

            await stream.WriteAsync(greeting.ToBytes(), cancel);
            _reached[worker] = endpoint;
            return new Connection(stream, standing);
        }
        catch
        {
            standing?.Dispose();
            socket.Dispose();
            if (stream is not null)
                await stream.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public async Task<bool> IsGoneAsync(string worker, CancellationToken cancel)
    {
        if (!_reached.TryGetValue(worker, out IPEndPoint? endpoint))
            return false;
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        timeout.CancelAfter(RefusalTimeout);
        try
        {
            using var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(endpoint, timeout.Token);
            return false;
        }
        catch (SocketException fault)
        {
            return fault.SocketErrorCode == SocketError.ConnectionRefused;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private sealed class Connection : IPeerConnection
    {
        /// <summary>A header goes with the start of its values: alone it would wake the peer for nothing.</summary>
        private const int StartBytes = 1 << 16;

        private readonly Stream _stream;
        private readonly IDisposable? _standing;
        private readonly CancellationTokenSource _lost = new();
        private readonly byte[] _start = new byte[StartBytes];
        private byte[] _halves = [];

        public Connection(Stream stream, IDisposable? standing)
        {
            _stream = stream;
            _standing = standing;
            _ = WatchAsync();
        }

        public CancellationToken Lost => _lost.Token;

        public async Task<int> SendAsync(Chunk chunk, WireFormat wire, CancellationToken cancel)
        {
            ReadOnlyMemory<byte> content = ChunkStream.BytesOf(chunk, wire, ref _halves);
            int beside = Math.Min(content.Length, StartBytes - ChunkHeader.Bytes);
            chunk.Header.Write(_start);
            content[..beside].CopyTo(_start.AsMemory(ChunkHeader.Bytes));
            await _stream.WriteAsync(_start.AsMemory(0, ChunkHeader.Bytes + beside), cancel);
            if (beside < content.Length)
                await _stream.WriteAsync(content[beside..], cancel);
            return ChunkHeader.Bytes + content.Length;
        }

        public ValueTask DisposeAsync()
        {
            _standing?.Dispose();
            return _stream.DisposeAsync();
        }

        /// <summary>The other side says nothing, so whatever is read is the end.</summary>
        private async Task WatchAsync()
        {
            try
            {
                _ = await _stream.ReadAsync(new byte[1]);
            }
            catch (Exception fault) when (fault is IOException or ObjectDisposedException)
            {
            }

            await _lost.CancelAsync();
        }
    }
}
