using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Kernels.Gpu;

/// <summary>The kernels in Kernels.cu, compiled for what runs them.</summary>
internal abstract unsafe class KernelLibrary
{
    /// <summary>Threads of a block.</summary>
    public const uint BlockSize = 256;

    /// <summary>Runs a kernel with a thread for each of <paramref name="threads"/>, which it is told after the tensors.</summary>
    /// <param name="real">Type of the elements; it ends the kernel's name.</param>
    public void ForEach(string kernel, ScalarType real, long threads, ReadOnlySpan<Tensor> tensors, params ReadOnlySpan<uint> numbers) =>
        ForBlocks(kernel, real, (threads + BlockSize - 1) / BlockSize, BlockSize, tensors, [checked((uint)threads), .. numbers]);

    /// <summary>Runs a kernel with a block of so many threads for each of <paramref name="blocks"/>.</summary>
    /// <inheritdoc cref="ForEach"/>
    public void ForBlocks(
        string kernel, ScalarType real, long blocks, uint blockSize, ReadOnlySpan<Tensor> tensors, params ReadOnlySpan<uint> numbers)
    {
        if (blocks == 0)
            return;
        nint* addresses = stackalloc nint[tensors.Length];
        uint* values = stackalloc uint[numbers.Length];
        Span<nint> arguments = stackalloc nint[tensors.Length + numbers.Length];
        for (int i = 0; i < tensors.Length; i++)
        {
            addresses[i] = TensorAddress.Of(tensors[i]);
            arguments[i] = (nint)(addresses + i);
        }

        for (int i = 0; i < numbers.Length; i++)
        {
            values[i] = numbers[i];
            arguments[tensors.Length + i] = (nint)(values + i);
        }

        Launch(kernel + (real == ScalarType.Float32 ? "_float" : "_bf16"), checked((uint)blocks), blockSize, arguments);
    }

    /// <param name="arguments">Where each lies.</param>
    protected abstract void Launch(string name, uint blocks, uint blockSize, ReadOnlySpan<nint> arguments);
}
