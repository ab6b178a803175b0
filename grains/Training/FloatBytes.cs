using System.Buffers;
using System.Runtime.InteropServices;

namespace PixelCnnCluster.Training;

/// <summary>The bytes of floats, without a copy.</summary>
internal sealed class FloatBytes(ReadOnlyMemory<float> floats) : MemoryManager<byte>
{
    public override Span<byte> GetSpan() => MemoryMarshal.AsBytes(MemoryMarshal.AsMemory(floats).Span);

    /// <exception cref="ArgumentOutOfRangeException">The byte is not the first of a float.</exception>
    public override MemoryHandle Pin(int elementIndex = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(elementIndex % sizeof(float), 0, nameof(elementIndex));
        return floats[(elementIndex / sizeof(float))..].Pin();
    }

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
    }
}
