using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Kernels;
using PixelCnnCluster.Model.Tensors;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Layers;

/// <summary>Turns the network's features and uniform noise into samples of each pixel's colour.</summary>
internal sealed class EnergyHead(ParameterLayout layout, string name, int filters, int channels)
{
    /// <summary>Samples per pixel.</summary>
    public const int Samples = 10;

    /// <summary>Filters of the hidden layers.</summary>
    public const int Width = 64;

    /// <summary>Noise that one sample of one pixel takes: uniform in [-1, 1).</summary>
    public const int NoiseChannels = 4;

    private readonly Activation _activation = new(Nonlinearity.ConcatElu, dropout: 0);

    public Pointwise Features { get; } = new(layout, name + ".features", filters, Width);

    public Pointwise Noise { get; } = new(layout, name + ".noise", NoiseChannels, Width);

    public Pointwise Hidden { get; } = new(layout, name + ".hidden", 2 * Width, Width);

    public Pointwise Colour { get; } = new(layout, name + ".out", 2 * Width, channels, initialScale: 0.1);

    /// <summary>[N, H, W, filters] to [Samples, N, C, H, W] in [-1, 1].</summary>
    public Tensor Forward(ForwardContext context, Tensor input)
    {
        long[] shape = input.shape;
        using Generator generator = context.NextGenerator(CPU);
        Tensor uniform = rand([Samples * shape[0], shape[1], shape[2], NoiseChannels], generator: generator).to(input.device).Times(2)
            .Plus(-1);
        Tensor x = Colours(context, Features.Forward(context, input).repeat(Samples, 1, 1, 1), uniform);
        return x.view(Samples, shape[0], shape[1], shape[2], channels).permute(0, 1, 4, 2, 3);
    }

    /// <summary>
    /// Embedded features [N, H, W, <see cref="Width"/>] and noise [N, H, W, <see cref="NoiseChannels"/>] to colours [N, H, W, C].
    /// </summary>
    public Tensor Colours(ForwardContext context, Tensor embedded, Tensor uniform)
    {
        Tensor x = embedded.Plus(Noise.Forward(context, uniform));
        x = Hidden.Forward(context, _activation.Apply(context, x, ImagePadding.None));
        return Colour.Forward(context, _activation.Apply(context, x, ImagePadding.None)).tanh();
    }
}
