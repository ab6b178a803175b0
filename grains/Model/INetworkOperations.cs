using PixelCnnCluster.Model.Layers;

namespace PixelCnnCluster.Model;

/// <summary>The two streams of the network, and how far a filter of each sees.</summary>
internal sealed record NetworkStream(string Name, CausalKernel Kernel)
{
    /// <summary>Sees the rows above a pixel. Its layers work on whole rows.</summary>
    public static NetworkStream Vertical { get; } = new("u", CausalKernel.Down());

    /// <summary>Sees the rows above a pixel and the pixels to its left. Its layers work pixel by pixel.</summary>
    public static NetworkStream Horizontal { get; } = new("ul", CausalKernel.DownRight());
}

/// <summary>
/// The operations that a network consists of. An <see cref="INetworkTopology"/> calls them in the order of evaluation; each
/// interpreter gives them a meaning of its own: it makes layers, computes with tensors or with rows, or counts. An operation with
/// parameters has a name, which is the name of its layer.
/// </summary>
/// <typeparam name="TValue">What flows between operations.</typeparam>
internal interface INetworkOperations<TValue>
    where TValue : class
{
    /// <summary>The image with its planes, see <see cref="PixelCnn.WithPlanes"/>.</summary>
    TValue Image();

    /// <summary>The vertical stream's first value: a convolution of the rows above.</summary>
    TValue RowsAbove(string name, TValue image);

    /// <summary>The horizontal stream's first value: a convolution of the rows above, plus one of the pixel to the left.</summary>
    TValue RowsAboveAndPixelToTheLeft(string above, string left, TValue image);

    /// <summary>A convolution to half the size.</summary>
    TValue Downsample(string name, NetworkStream stream, TValue input);

    /// <summary>A transposed convolution to twice the size.</summary>
    TValue Upsample(string name, NetworkStream stream, TValue input);

    /// <summary>A gated block with its shortcuts.</summary>
    /// <param name="vertical">For a block of the horizontal stream: the vertical stream's value beside it.</param>
    /// <param name="across">In the down pass: the same stream's value of the up pass.</param>
    TValue Block(string name, NetworkStream stream, TValue input, TValue? vertical = null, TValue? across = null);

    /// <summary>A causal non-local block of the horizontal stream.</summary>
    TValue Attention(string name, TValue input);

    /// <summary>The horizontal stream's value where the up pass ends and the down pass begins.</summary>
    TValue BeginDownPass(TValue horizontal);

    /// <summary>Mixture parameters of each pixel.</summary>
    TValue MixtureHead(string name, TValue features);

    /// <summary>Samples of each pixel's colour.</summary>
    TValue EnergyHead(string name, TValue features);
}
