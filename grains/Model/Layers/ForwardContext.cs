using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Tensors;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Layers;

/// <summary>What one evaluation of the network works with: the parameters, the labels and the randomness.</summary>
public sealed class ForwardContext(Parameters parameters)
{
    private ulong _used;

    public Parameters Parameters { get; } = parameters;

    /// <summary>int64 class of each image [N]; null for an unconditional network.</summary>
    public Tensor? Labels { get; init; }

    /// <summary>Zeroes activations at the network's dropout rate, as in training.</summary>
    public bool Dropout { get; init; }

    /// <summary>What the network computes with; its output is float32 in any case.</summary>
    public Precision Precision { get; init; } = Precision.Float32;

    /// <summary>Sets each layer's scale and bias from the data on the way through.</summary>
    public bool Initialising { get; init; }

    /// <summary>Decides the energy distance's noise, and dropout masks where <see cref="MaskKeys"/> does not.</summary>
    public ulong Seed { get; init; }

    /// <summary>
    /// The keys of its masks, see <see cref="MaskKeysOf"/>, on the device; null for those of <see cref="Seed"/>. Work that is recorded
    /// reads them anew whenever it is repeated.
    /// </summary>
    public Tensor? MaskKeys { get; init; }

    /// <summary>
    /// Called in the backward pass when the gradients of all layers of the down pass, those from <see cref="PixelCnn.DownPassStart"/> on,
    /// are known; on a GPU, when they are given to it to compute.
    /// </summary>
    public Action? DownPassDone { get; init; }

    /// <summary>The keys of the dropout masks of a pass with a seed that uses no other randomness, int32 [count].</summary>
    public static Tensor MaskKeysOf(ulong seed, int count) =>
        tensor(Enumerable.Range(1, count).Select(use => MaskKey(Seeds.Derive(seed, (ulong)use))).ToArray());

    /// <summary>A new seed for each use within the pass, the same ones whenever the pass is repeated.</summary>
    /// <exception cref="InvalidOperationException">The pass has keys for masks and no other randomness: it may be recorded, and then what
    /// is drawn once would stay.</exception>
    internal ulong NextSeed() =>
        MaskKeys is null ? Seeds.Derive(Seed, ++_used)
            : throw new InvalidOperationException("A pass with keys for its masks has no other randomness.");

    /// <summary>The key of the next dropout mask, int32 [1] on a device.</summary>
    internal Tensor NextMaskKey(Device device) => MaskKeys?.narrow(0, (long)_used++, 1) ?? TensorMath.Number(MaskKey(NextSeed()), device);

    internal static int MaskKey(ulong seed) => (int)(uint)(seed ^ (seed >> 32));

    /// <summary>A generator for the next use of randomness that is sampled by the tensor library.</summary>
    internal Generator NextGenerator(Device device) => new(NextSeed() >> 1, device);
}
