using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace PixelCnnCluster.Training;

/// <summary>Vectors that are used again and again: new ones of hundreds of megabytes at each step would cost more than the sums in them.</summary>
/// <param name="length">Floats of each vector.</param>
public sealed class VectorPool(int length)
{
    private readonly ConcurrentBag<float[]> free = [];

    /// <summary>A vector with any content.</summary>
    public Memory<float> Rent() => free.TryTake(out float[]? vector) ? vector : GC.AllocateUninitializedArray<float>(length);

    /// <summary>Takes back a vector, or what its user cut it to, that nobody reads or writes any more.</summary>
    public void Return(Memory<float> vector)
    {
        MemoryMarshal.TryGetArray(vector, out ArraySegment<float> whole);
        free.Add(whole.Array!);
    }
}
