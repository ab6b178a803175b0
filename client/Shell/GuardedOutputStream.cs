using System.Runtime.InteropServices;

namespace PixelCnnCluster.Client.Shell;

/// <summary>
/// Standard output or error for as long as somebody reads it. The runtime's own stream ignores a reader that has gone, and fails when the
/// terminal has; here both are told once, and what is written after that is dropped.
/// </summary>
public sealed partial class GuardedOutputStream : Stream
{
    private readonly Stream _output;
    private readonly int _descriptor;
    private readonly Action _closed;
    private bool _isClosed;

    /// <param name="closed">Told when nobody reads any more.</param>
    private GuardedOutputStream(Stream output, int descriptor, Action closed)
    {
        _output = output;
        _descriptor = descriptor;
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
        Console.SetOut(new StreamWriter(new GuardedOutputStream(Console.OpenStandardOutput(), 1, closed)) { AutoFlush = true });
        Console.SetError(new StreamWriter(new GuardedOutputStream(Console.OpenStandardError(), 2, () => { })) { AutoFlush = true });
    }

    public override void Write(byte[] buffer, int offset, int count)
    {
        if (_isClosed)
            return;
        try
        {
            _output.Write(buffer, offset, count);
            _isClosed = HasNoReader(_descriptor);
        }
        catch (IOException)
        {
            // A terminal that has gone. A disk that is full is told by whoever reads the file.
            _isClosed = true;
        }

        if (_isClosed)
            _closed();
    }

    public override void Flush() => _output.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>The other end of a pipe, or of a terminal, has been closed.</summary>
    private static bool HasNoReader(int descriptor)
    {
        const short Error = 8, HangUp = 16;
        var asked = new PollDescriptor { Descriptor = descriptor };
        return Poll(ref asked, 1, timeout: 0) > 0 && (asked.Happened & (Error | HangUp)) != 0;
    }

    [LibraryImport("libc", EntryPoint = "poll")]
    private static partial int Poll(ref PollDescriptor descriptors, nuint count, int timeout);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollDescriptor
    {
        public int Descriptor;
        public short Asked;
        public short Happened;
    }
}
