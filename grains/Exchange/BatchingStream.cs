using System.Net.Sockets;
using PixelCnnCluster.Exchange.Handshakes;

namespace PixelCnnCluster.Exchange;

/// <summary>
/// Reads a socket, and sleeps while little of a long read has come: being woken by each packet costs more than the waiting.
/// </summary>
internal sealed class BatchingStream(Socket socket) : NetworkStream(socket, ownsSocket: true)
{
    /// <summary>Of a read that wants so many bytes or more, so many are waited for.</summary>
    private const int LongRead = 1 << 19;

    /// <summary>Linux' SOL_SOCKET and SO_RCVLOWAT.</summary>
    private const int SocketLevel = 1, ReceiveLowWater = 18;

    private bool _isPatient;

    /// <summary>During a handshake: what comes after a read goes on on its thread.</summary>
    public HandshakeGate? Handshake { get; set; }

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        bool isLong = buffer.Length >= LongRead && OperatingSystem.IsLinux();
        if (isLong != _isPatient)
        {
            _isPatient = isLong;
            Socket.SetRawSocketOption(SocketLevel, ReceiveLowWater, BitConverter.GetBytes(isLong ? LongRead : 1));
        }

        ValueTask<int> read = base.ReadAsync(buffer, cancellationToken);
        return Handshake is { } gate ? gate.GoOnApart(read) : read;
    }
}
