using System.Buffers;
using System.Runtime.InteropServices;
using PixelCnnCluster.Model.Kernels.Gpu;
using static TorchSharp.torch;

namespace PixelCnnCluster.Training.Devices;

/// <summary>
/// A vector in host memory that belongs to a tensor: pinned, so that a GPU copies from and to it by itself. Nobody need dispose it: the
/// garbage collector is told what it weighs.
/// </summary>
public sealed unsafe class PinnedVector : MemoryManager<float>
{
    private readonly float* _first;
    private readonly int _length;
    private readonly Weight _weight;

    /// <param name="tensor">float32 [length], of the host; it becomes this object's own.</param>
    public PinnedVector(Tensor tensor)
    {
        Tensor = tensor.DetachFromDisposeScope();
        _first = (float*)TensorAddress.Of(tensor);
        _length = (int)tensor.numel();
        _weight = new((long)_length * sizeof(float));
    }

    public Tensor Tensor { get; }

    /// <summary>The tensor whose memory this is, as <see cref="Memory{T}"/>; null if it is no tensor's.</summary>
    public static Tensor? TensorOf(ReadOnlyMemory<float> vector) =>
        MemoryMarshal.TryGetMemoryManager<float, PinnedVector>(vector, out PinnedVector? owner, out int start, out int length)
            && (start, length) == (0, owner._length) ? owner.Tensor : null;

    public override Span<float> GetSpan() => new(_first, _length);

    public override MemoryHandle Pin(int elementIndex = 0) => new(_first + elementIndex);

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            Tensor.Dispose();
    }

    /// <summary>Bytes that are not the garbage collector's own, as long as this object is there.</summary>
    private sealed class Weight
    {
        private readonly long _bytes;

        public Weight(long bytes)
        {
            _bytes = bytes;
            GC.AddMemoryPressure(bytes);
        }

        ~Weight() => GC.RemoveMemoryPressure(_bytes);
    }
}
