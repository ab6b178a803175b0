using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model;

/// <summary>
/// The PixelCNN++ network (Salimans et al. 2017, arXiv 1701.05517): its layers, and how they are joined. It holds no tensors: the
/// parameters come with each <see cref="ForwardContext"/>.
/// </summary>
public sealed class PixelCnn
{
    private readonly INetworkTopology _topology;

    public PixelCnn(NetworkShape shape)
        : this(shape, new PixelCnnTopology())
    {
    }

    internal PixelCnn(NetworkShape shape, INetworkTopology topology)
    {
        Shape = shape;
        _topology = topology;
        Layers = new(shape, topology);
    }

    public NetworkShape Shape { get; }

    public ParameterLayout Layout => Layers.Layout;

    /// <summary>Where the parameters of the down pass begin in the flat vector; those of the up pass come before.</summary>
    public long DownPassStart => Layers.DownPassStart;

    /// <summary>Dropout masks of a pass.</summary>
    public int Masks => Layers.Blocks;

    /// <summary>
    /// Floating-point operations of the convolutions and 1x1 layers in the forward pass of one image; a multiply-add counts as two.
    /// </summary>
    public long ForwardOperations => OperationCount.OfForward(this).Operations;

    /// <summary>Positions at which all gated blocks together are computed for one image.</summary>
    public long BlockPositions => OperationCount.OfForward(this).BlockPositions;

    internal NetworkLayers Layers { get; }

    /// <summary>
    /// Directions v from N(0, 0.05) and class weights likewise (Salimans and Kingma 2016); the rest is set by an initialising pass.
    /// </summary>
    public void SampleParameters(Parameters parameters, ulong seed)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable none = no_grad();
        using var generator = new Generator(seed, CPU);
        foreach (Slot slot in Layout.Slots)
        {
            Tensor random = randn(slot.Shape, generator: generator).Times(0.05);
            parameters[slot].copy_(
                slot.Name.EndsWith(".v", StringComparison.Ordinal) || slot.Name.EndsWith(".w", StringComparison.Ordinal) ? random
                    : zeros_like(random));
        }
    }

    /// <summary>
    /// Images [N, C, H, W] in [-1, 1] to mixture parameters [N, <see cref="NetworkShape.Logits"/>, H, W], or for energy distance
    /// to samples [S, N, C, H, W]. H may be any multiple of 4 up to the size: rows below never matter to those above.
    /// </summary>
    public Tensor Forward(ForwardContext context, Tensor images) => Interpret(new ForwardPass(this, context, images));

    /// <summary>Gives each operation of the network the meaning that an interpreter has for it.</summary>
    /// <returns>What the head returns.</returns>
    internal TValue Interpret<TValue>(INetworkOperations<TValue> operations)
        where TValue : class =>
        _topology.Head(Shape, operations, Features(operations));

    /// <summary>As <see cref="Interpret"/>, without the head.</summary>
    internal TValue Features<TValue>(INetworkOperations<TValue> operations)
        where TValue : class =>
        _topology.Features(Shape, operations);

    /// <summary>A column's or row's position from -1 to 1.</summary>
    internal static float Coordinate(int position, int size) => (2f * position / (size - 1)) - 1;

    /// <summary>
    /// [N, H, W, C + planes]: after the image a plane of ones, which tells it from padding, and, if asked for, the columns' and the
    /// rows' position from -1 to 1 (arXiv 1807.03247).
    /// </summary>
    internal Tensor WithPlanes(Tensor images)
    {
        long count = images.shape[0], height = images.shape[2], width = images.shape[3];
        List<Tensor> planes = [images.permute(0, 2, 3, 1), ones([count, height, width, 1], device: images.device)];
        if (Shape.CoordinateChannels)
        {
            // Made where they are used, so that a recording on a GPU makes them too; the same bits as a single coordinate's.
            Tensor positions = TensorMath.Positions(Shape.Size, images.device).Times(2).Over(Shape.Size - 1).Plus(-1);
            planes.Add(positions.view(1, 1, width, 1).expand(count, height, width, 1));
            planes.Add(positions.narrow(0, 0, height).view(1, height, 1, 1).expand(count, height, width, 1));
        }

        return cat(planes, -1);
    }
}
