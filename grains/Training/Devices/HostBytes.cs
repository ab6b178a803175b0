using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Training.Devices;

/// <summary>A tensor's bytes in host memory, without a copy where they are there already.</summary>
public static class HostBytes
{
    public static void Read(Tensor tensor, Action<ReadOnlySpan<byte>> use)
    {
        using Tensor host = tensor.cpu();
        use(host.bytes);
    }

    /// <summary>Copies floats into a tensor of as many elements, wherever it lies.</summary>
    public static void Write(Tensor tensor, ReadOnlySpan<float> values)
    {
        if (tensor.device_type == DeviceType.CPU)
        {
            MemoryMarshal.AsBytes(values).CopyTo(tensor.bytes);
            return;
        }

        using Tensor host = from_array(values.ToArray());
        tensor.copy_(host);
    }

    /// <summary>
    /// Copies a float32 vector to host memory. Where that is a whole <see cref="PinnedVector"/> the copy is done in the order of the
    /// calling thread's queue of a GPU, and nobody waits for it.
    /// </summary>
    public static void CopyTo(this Tensor vector, Memory<float> target)
    {
        if (PinnedVector.TensorOf(target) is { } pinned)
            pinned.copy_(vector, nonBlocking: true);
        else
            Read(vector, bytes => bytes.CopyTo(MemoryMarshal.AsBytes(target.Span)));
    }

    /// <summary>Fills a float32 vector from host memory, as <see cref="CopyTo"/> does.</summary>
    public static void CopyFrom(this Tensor vector, ReadOnlyMemory<float> source)
    {
        if (PinnedVector.TensorOf(source) is { } pinned)
            vector.copy_(pinned, nonBlocking: true);
        else
            Write(vector, source.Span);
    }

    /// <summary>Waits for a GPU's work, copies included.</summary>
    public static void Finish(Device device)
    {
        if (device.type != DeviceType.CPU)
            cuda.synchronize(device);
    }

    /// <summary>
    /// A tensor of the host on a device. On a GPU the copy is done from pinned memory and in the order of the device's work, and nobody
    /// waits for it.
    /// </summary>
    public static Tensor MovedTo(this Tensor host, Device device) =>
        device.type == DeviceType.CPU ? host : host.pin_memory().to(device, non_blocking: true);
}
