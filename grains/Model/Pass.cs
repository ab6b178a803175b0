using PixelCnnCluster.Contracts;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model;

/// <summary>What one evaluation of the network works with: the parameters, the labels and the randomness.</summary>
public sealed class Pass(Parameters parameters)
{
    private ulong drawn;

    public Parameters Parameters { get; } = parameters;

    /// <summary>int64 class of each image [N]; null for an unconditional network.</summary>
    public Tensor? Labels { get; init; }

    /// <summary>Zeroes activations at the network's dropout rate, as in training.</summary>
    public bool Dropout { get; init; }

    /// <summary>What the network computes with; its output is float32 in any case.</summary>
    public Precision Precision { get; init; } = Precision.Float32;

    /// <summary>Sets each layer's scale and bias from the data on the way through.</summary>
    public bool Initialising { get; init; }

    /// <summary>Decides dropout masks and the energy distance's noise.</summary>
    public ulong Seed { get; init; }

    /// <summary>Called in the backward pass when the gradients of all layers of the way down, those from <see cref="PixelCnn.WayDown"/> on, are known.</summary>
    public Action? WayDownDone { get; init; }

    /// <summary>A new seed for each use within the pass, the same ones whenever the pass is repeated.</summary>
    internal ulong NextSeed() => Seeds.Derive(Seed, ++drawn);

    /// <summary>A generator for the next use of randomness that is drawn by the tensor library.</summary>
    internal Generator NextGenerator(Device device) => new(NextSeed() >> 1, device);
}
