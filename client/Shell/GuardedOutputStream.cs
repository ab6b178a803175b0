using Microsoft.Win32.SafeHandles;

namespace PixelCnnCluster.Client.Shell;

/// <summary>
/// Standard output for as long as somebody reads it. The runtime's own ignores a reader that has gone, and fails when the terminal has;
/// here both are told once, and what is written after that is dropped.
/// </summary>
public sealed class GuardedOutputStream : Stream
{
    private readonly FileStream _output;
    private readonly Action _closed;
    private bool _isClosed;

    /// <param name="descriptor">1 for standard output, 2 for standard error.</param>
    /// <param name="closed">Told when nobody reads any more.</param>
    public GuardedOutputStream(nint descriptor, Action closed)
    {
        _output = new(new SafeFileHandle(descriptor, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        _closed = closed;
    }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Guards what this process writes from now on.</summary>
    /// <param name="closed">Told when nobody reads standard output any more.</param>
    public static void Install(Action closed)
    {
        Console.SetOut(new StreamWriter(new GuardedOutputStream(1, closed)) { AutoFlush = true });
        Console.SetError(new StreamWriter(new GuardedOutputStream(2, () => { })) { AutoFlush = true });
    }

    public override void Write(byte[] buffer, int offset, int count)
    {
        if (_isClosed)
            return;
        try
        {
            _output.Write(buffer, offset, count);
        }
        catch (IOException)
        {
            _isClosed = true;
            _closed();
        }
    }

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
