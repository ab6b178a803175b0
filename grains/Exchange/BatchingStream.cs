using System.Net.Sockets;

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

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        bool isLong = buffer.Length >= LongRead && OperatingSystem.IsLinux();
        if (isLong != _isPatient)
        {
            _isPatient = isLong;
            Socket.SetRawSocketOption(SocketLevel, ReceiveLowWater, BitConverter.GetBytes(isLong ? LongRead : 1));
        }

        return base.ReadAsync(buffer, cancellationToken);
    }
}
