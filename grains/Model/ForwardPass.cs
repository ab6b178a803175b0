using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Kernels;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Tensors;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace PixelCnnCluster.Model;

/// <summary>Interpreter that evaluates the network for whole images, with tensors [N, H, W, C].</summary>
/// <param name="images">[N, C, H, W] in [-1, 1].</param>
internal sealed class ForwardPass(PixelCnn network, ForwardContext context, Tensor images) : INetworkOperations<Tensor>
{
    public Tensor Image()
    {
        ProductRounding.Set(context.Precision, images.device);
        return network.WithPlanes(images).As(context.Precision == Precision.Bf16 ? ScalarType.BFloat16 : ScalarType.Float32);
    }

    public Tensor RowsAbove(string name, Tensor image) => ShiftDown(Convolution(name, image));

    public Tensor RowsAboveAndPixelToTheLeft(string above, string left, Tensor image) =>
        ShiftDown(Convolution(above, image)).Plus(ShiftRight(Convolution(left, image)));

    public Tensor Downsample(string name, NetworkStream stream, Tensor input) => Convolution(name, input);

    public Tensor Upsample(string name, NetworkStream stream, Tensor input) =>
        network.Layers.Get<ShiftedUpsampling>(name).Forward(context, input);

    public Tensor Block(string name, NetworkStream stream, Tensor input, Tensor? vertical = null, Tensor? across = null) =>
        network.Layers.Get<GatedBlock>(name).Forward(
            context, input, vertical is not null && across is not null ? cat([vertical, across], -1) : vertical ?? across);

    public Tensor Attention(string name, Tensor input) => network.Layers.Get<NonLocalBlock>(name).Forward(context, input);

    public Tensor BeginDownPass(Tensor horizontal) =>
        context.DownPassDone is { } done ? BackwardHook.Apply(horizontal, done) : horizontal;

    /// <returns>[N, <see cref="NetworkShape.Logits"/>, H, W]</returns>
    public Tensor MixtureHead(string name, Tensor features) =>
        network.Layers.Get<Pointwise>(name).Forward(context, Activated(features)).permute(0, 3, 1, 2);

    /// <returns>[S, N, C, H, W]</returns>
    public Tensor EnergyHead(string name, Tensor features) =>
        network.Layers.Get<EnergyHead>(name).Forward(context, Activated(features));

    /// <summary>
    /// What the head's layers see, [N, H, W, filters], float32: a colour's mean and spread need more digits than bfloat16 has.
    /// </summary>
    public static Tensor Activated(Tensor features) => features.As(ScalarType.Float32).Elu();

    private Tensor Convolution(string name, Tensor input) => network.Layers.Get<ShiftedConvolution>(name).Forward(context, input);

    private static Tensor ShiftDown(Tensor x) => F.pad(x.narrow(1, 0, x.shape[1] - 1), [0, 0, 0, 0, 1, 0]);

    private static Tensor ShiftRight(Tensor x) => F.pad(x.narrow(2, 0, x.shape[2] - 1), [0, 0, 1, 0]);
}
