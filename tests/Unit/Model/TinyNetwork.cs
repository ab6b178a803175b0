using System.Runtime.InteropServices;
using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Tensors;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Model;

/// <summary>
/// A network of a few filters whose parameters are all random: the scales, biases and class weights too, and the projections that start as
/// zero.
/// </summary>
internal sealed class TinyNetwork : IDisposable
{
    public TinyNetwork(NetworkShape shape, ulong seed = 1)
    {
        Network = new(shape);
        Parameters = new(Network.Layout, zeros(Network.Layout.Length));
        Network.SampleParameters(Parameters, seed);
        using var generator = new Generator(seed + 1, CPU);
        foreach (Slot slot in Network.Layout.Slots)
        {
            if (slot.Name.EndsWith(".v", StringComparison.Ordinal))
                continue;
            Tensor draw = slot.Name.EndsWith(".g", StringComparison.Ordinal)
                ? rand(slot.Shape, generator: generator).Plus(0.5)
                : randn(slot.Shape, generator: generator).Times(0.5);
            Parameters[slot].copy_(draw);
        }
    }

    public static NetworkShape Shape { get; } = new() { Channels = 1, Size = 8, Blocks = 1, Filters = 4, Mixtures = 2 };

    public PixelCnn Network { get; }

    public Parameters Parameters { get; }

    /// <summary>Random images [count, C, Size, Size] of whole bytes, in [-1, 1].</summary>
    public Tensor Images(int count, ulong seed = 7) =>
        RandomImages(seed, count, Network.Shape.Channels, Network.Shape.Size, Network.Shape.Size);

    public Tensor Forward(Tensor images, Tensor? labels = null)
    {
        using IDisposable none = no_grad();
        return Network.Forward(new ForwardContext(Parameters) { Labels = labels, Seed = 3 }, images);
    }

    public void Dispose()
    {
        Parameters.Dispose();
        Parameters.Values.Dispose();
    }

    public static Tensor RandomImages(ulong seed, params long[] shape)
    {
        using var generator = new Generator(seed, CPU);
        return ImageScaling.FromBytes(rand(shape, generator: generator).Times(255.99).to_type(ScalarType.Byte));
    }
}

internal static class TensorValues
{
    /// <summary>All elements in order.</summary>
    public static float[] Floats(this Tensor tensor) => MemoryMarshal.Cast<byte, float>(tensor.detach().contiguous().bytes).ToArray();

    /// <summary>Largest absolute difference.</summary>
    public static float DistanceTo(this Tensor a, Tensor b)
    {
        Assert.Equal(a.shape, b.shape);
        return (a - b).abs().max().Value<float>();
    }
}
