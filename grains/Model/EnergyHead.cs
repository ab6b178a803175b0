using PixelCnnCluster.Contracts;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model;

/// <summary>Turns the network's features and uniform noise into samples of each pixel's colour.</summary>
internal sealed class EnergyHead(ParameterLayout layout, int filters, int channels)
{
    /// <summary>Samples per pixel.</summary>
    public const int Samples = 10;

    private const int Width = 64;
    private const int NoiseChannels = 4;

    private readonly Activation activation = new(Nonlinearity.ConcatElu, dropout: 0);
    private readonly Pointwise features = new(layout, "energy.features", filters, Width);
    private readonly Pointwise noise = new(layout, "energy.noise", NoiseChannels, Width);
    private readonly Pointwise hidden = new(layout, "energy.hidden", 2 * Width, Width);
    private readonly Pointwise colour = new(layout, "energy.out", 2 * Width, channels, initialScale: 0.1);

    /// <summary>[N, H, W, filters] to [Samples, N, C, H, W] in [-1, 1].</summary>
    public Tensor Forward(Pass pass, Tensor input)
    {
        long[] shape = input.shape;
        using Generator generator = pass.NextGenerator(CPU);
        Tensor uniform = rand([Samples * shape[0], shape[1], shape[2], NoiseChannels], generator: generator).to(input.device).Times(2).Plus(-1);
        Tensor x = features.Forward(pass, input).repeat(Samples, 1, 1, 1).Plus(noise.Forward(pass, uniform));
        x = hidden.Forward(pass, activation.Apply(pass, x, Padding.None));
        x = colour.Forward(pass, activation.Apply(pass, x, Padding.None)).tanh();
        return x.view(Samples, shape[0], shape[1], shape[2], channels).permute(0, 1, 4, 2, 3);
    }
}
