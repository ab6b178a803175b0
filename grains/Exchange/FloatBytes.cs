using System.Buffers;
using System.Runtime.InteropServices;

namespace PixelCnnCluster.Exchange;

/// <summary>The bytes of floats, without a copy. For one who pins at a time.</summary>
internal sealed class FloatBytes(ReadOnlyMemory<float> floats) : MemoryManager<byte>
{
    private MemoryHandle _pin;

    public override Span<byte> GetSpan() => MemoryMarshal.AsBytes(MemoryMarshal.AsMemory(floats).Span);

    public override unsafe MemoryHandle Pin(int elementIndex = 0)
    {
        _pin = floats.Pin();
        return new((byte*)_pin.Pointer + elementIndex, pinnable: this);
    }

    public override void Unpin() => _pin.Dispose();

    protected override void Dispose(bool disposing)
    {
    }
}
