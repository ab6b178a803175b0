using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Objectives;
using PixelCnnCluster.Model.Sampling;
using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Model;

/// <summary>A tiny network, every parameter of which matters, to sample from.</summary>
public sealed class SamplingNetwork : IDisposable
{
    public static readonly NetworkShape Plain = new() { Channels = 1, Size = 8, Blocks = 1, Filters = 6, Mixtures = 3, Dropout = 0.5 };

    private readonly Tensor _values;

    public SamplingNetwork(NetworkShape shape)
        : this(shape, new PixelCnnTopology())
    {
    }

    internal SamplingNetwork(NetworkShape shape, INetworkTopology topology)
    {
        using DisposeScope scope = NewDisposeScope();

        // As on a worker: threads of the kernels' own, waiting for one another on busy cores, would take most of the time.
        set_num_threads(1);
        Network = new(shape, topology);
        using var generator = new Generator(1, CPU);
        _values = randn(Network.Layout.Length, generator: generator).Times(0.5).DetachFromDisposeScope();
        Parameters = new(Network.Layout, _values);
    }

    public PixelCnn Network { get; }

    public Parameters Parameters { get; }

    public static ulong[] Seeds(int count) =>
        [.. Enumerable.Range(0, count).Select(i => PixelCnnCluster.Model.Tensors.Seeds.Derive(7, (ulong)i))];

    /// <summary>int64 [count] classes in turn, or null for an unconditional network.</summary>
    public Tensor? Labels(int first, int count) =>
        Network.Shape.Classes == 0 ? null : tensor(Enumerable.Range(first, count).Select(i => (long)(i % Network.Shape.Classes)).ToArray());

    public byte[] SampleImages(int first, int count, (Tensor, Tensor)? given = null, Temperatures? temperatures = null)
    {
        using DisposeScope scope = NewDisposeScope();
        return PixelSampler.Sample(Network, Parameters, Labels(first, count), Seeds(first + count).AsSpan(first), given, temperatures);
    }

    public void Dispose()
    {
        Parameters.Dispose();
        _values.Dispose();
    }
}
