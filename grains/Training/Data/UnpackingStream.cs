namespace PixelCnnCluster.Training.Data;

/// <summary>
/// What comes out of a packed stream, which a few bytes can make endless: it ends with an exception beyond a hundred times the packed
/// size. Real images pack to a half.
/// </summary>
/// <param name="packed">Bytes of what is unpacked.</param>
internal sealed class UnpackingStream(Stream unpacked, long packed) : Stream
{
    /// <summary>So much a small file may become: one colour packs to nearly nothing.</summary>
    private const long Allowance = 64 << 20;

    private readonly long _most = Allowance + (100 * packed);
    private long _read;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <exception cref="InvalidDataException">It is garbled, or becomes too long.</exception>
    public override int Read(Span<byte> buffer)
    {
        int read = unpacked.Read(buffer);
        _read += read;
        return _read <= _most ? read : throw new InvalidDataException($"it unpacks to more than {_most} bytes, too many for its size");
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush() { }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            unpacked.Dispose();
        base.Dispose(disposing);
    }
}
