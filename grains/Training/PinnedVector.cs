using System.Buffers;
using System.Runtime.InteropServices;
using PixelCnnCluster.Model;
using static TorchSharp.torch;

namespace PixelCnnCluster.Training;

/// <summary>A vector in host memory that belongs to a tensor: pinned, so that a GPU copies from and to it by itself.</summary>
public sealed unsafe class PinnedVector : MemoryManager<float>
{
    private readonly float* first;

    /// <param name="tensor">float32 [length], of the host; it becomes this object's own.</param>
    public PinnedVector(Tensor tensor)
    {
        Tensor = tensor.DetachFromDisposeScope();
        first = (float*)TensorAddress.Of(tensor);
    }

    public Tensor Tensor { get; }

    /// <summary>The tensor whose memory this is, as <see cref="Memory{T}"/>; null if it is no tensor's.</summary>
    public static Tensor? TensorOf(ReadOnlyMemory<float> vector) =>
        MemoryMarshal.TryGetMemoryManager<float, PinnedVector>(vector, out PinnedVector? owner, out int start, out int length) && (start, length) == (0, owner.Memory.Length) ? owner.Tensor : null;

    public override Span<float> GetSpan() => new(first, (int)Tensor.numel());

    public override MemoryHandle Pin(int elementIndex = 0) => new(first + elementIndex);

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing) => Tensor.Dispose();
}
