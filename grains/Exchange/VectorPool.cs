using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace PixelCnnCluster.Exchange;

/// <summary>
/// Vectors that are used again and again: new ones of hundreds of megabytes at each step would cost more than the sums in them.
/// </summary>
/// <param name="length">Floats of each vector.</param>
/// <param name="allocate">Makes a vector of a length; null for ordinary memory.</param>
public sealed class VectorPool(int length, Func<int, Memory<float>>? allocate = null)
{
    private readonly ConcurrentBag<Memory<float>> _free = [];

    /// <summary>A vector with any content.</summary>
    public Memory<float> Rent() =>
        _free.TryTake(out Memory<float> vector) ? vector : allocate?.Invoke(length) ?? GC.AllocateUninitializedArray<float>(length);

    /// <summary>Takes back a vector, or what its user cut it to, that nobody reads or writes any more.</summary>
    public void Return(Memory<float> vector)
    {
        if (MemoryMarshal.TryGetArray(vector, out ArraySegment<float> whole))
            _free.Add(whole.Array);
        else if (MemoryMarshal.TryGetMemoryManager<float, MemoryManager<float>>(vector, out MemoryManager<float>? owner))
            _free.Add(owner.Memory);
    }
}
