using System.Buffers;
using System.Runtime.InteropServices;

namespace PixelCnnCluster.Training;

/// <summary>The bytes of floats, without a copy.</summary>
internal sealed class FloatBytes(Memory<float> floats) : MemoryManager<byte>
{
    public override Span<byte> GetSpan() => MemoryMarshal.AsBytes(floats.Span);

    public override MemoryHandle Pin(int elementIndex = 0) => throw new NotSupportedException();

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
    }
}
