using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Kernels;
using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace PixelCnnCluster.Model.Layers;

/// <summary>The nonlinearity before every convolution, with the dropout and the padding that follow it.</summary>
internal sealed class Activation(Nonlinearity nonlinearity, double dropout)
{
    public Nonlinearity Nonlinearity => nonlinearity;

    /// <summary>Channels out per channel in: concat_elu keeps the positive and the negative half apart.</summary>
    public int Expansion => nonlinearity == Nonlinearity.ConcatElu ? 2 : 1;

    /// <summary>[N, H, W, C] to [N, H + top, W + left + right, C x <see cref="Expansion"/>].</summary>
    /// <param name="mayDrop">Dropout follows this use, if the pass is one that drops.</param>
    public Tensor Apply(ForwardContext context, Tensor input, ImagePadding padding, bool mayDrop = false)
    {
        double rate = mayDrop && context.Dropout ? dropout : 0;
        if (nonlinearity == Nonlinearity.ConcatElu && FusedConcatElu.Takes(input))
            return FusedConcatElu.Apply(input, padding, rate, rate > 0 ? context.NextMaskKey(input.device) : null);

        Tensor output = nonlinearity switch
        {
            Nonlinearity.ConcatElu => cat([input, -input], -1).Elu(),
            Nonlinearity.Elu => input.Elu(),
            _ => F.relu(input),
        };
        if (rate > 0)
            output = output.FilledWith(Uniform(output, context.NextSeed() >> 1).IsBelow(rate), 0).Over(1 - rate);
        return padding.Apply(output);
    }

    /// <summary>
    /// Numbers in [0, 1) of a tensor's shape, on its device. TorchSharp makes no generator for GPUs, so there their own is seeded for each
    /// use.
    /// </summary>
    private static Tensor Uniform(Tensor like, ulong seed)
    {
        if (like.device_type != DeviceType.CPU)
        {
            cuda.manual_seed_all((long)seed);
            return rand(like.shape, device: like.device);
        }

        using var generator = new Generator(seed, CPU);
        return rand(like.shape, generator: generator);
    }
}
