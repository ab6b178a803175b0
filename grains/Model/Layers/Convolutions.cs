using PixelCnnCluster.Model.Kernels;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace PixelCnnCluster.Model.Layers;

/// <summary>
/// How far a filter sees. Both kinds see no row below; <see cref="DownRight"/> sees no column to the right either.
/// Tensors inside the network are [N, H, W, C], which is what the convolutions and matrix products are fastest with.
/// </summary>
internal sealed record CausalKernel(int Height, int Width, ImagePadding Padding)
{
    /// <summary>The pixel's own row and those above, to both sides.</summary>
    public static CausalKernel Down(int height = 2, int width = 3) =>
        new(height, width, new((height - 1), (width - 1) / 2, (width - 1) / 2));

    /// <summary>The pixel's own row up to itself and the rows above, to the left.</summary>
    public static CausalKernel DownRight(int height = 2, int width = 2) => new(height, width, new(height - 1, width - 1, 0));
}

/// <summary>Shifted convolution: output (i, j) depends on what <see cref="CausalKernel"/> sees from input (stride i, stride j).</summary>
internal sealed class ShiftedConvolution(
    ParameterLayout layout, string name, int inputs, int outputs, CausalKernel kernel, double initialScale = 1)
{
    /// <summary>[out, in, height, width]</summary>
    public WeightNormalised Weights { get; } = new(
        layout, name, [outputs, inputs, kernel.Height, kernel.Width], outputDimension: 0, initialScale);

    public CausalKernel Kernel => kernel;

    public int Stride { get; init; } = 1;

    public ImagePadding Padding => kernel.Padding;

    /// <summary>[N, H, W, in] to [N, H / stride, W / stride, out].</summary>
    public Tensor Forward(ForwardContext context, Tensor input) => ForwardPadded(context, kernel.Padding.Apply(input));

    /// <summary>The same for an input that has <see cref="Padding"/> around it already.</summary>
    public Tensor ForwardPadded(ForwardContext context, Tensor input) => Weights.Apply(
        context, input, (x, weight, bias) => Stride == 1 && DirectConvolution.Takes(x, outputs)
            ? DirectConvolution.Apply(x, weight, bias ?? zeros(outputs), kernel.Padding)
            : F.conv2d(x.permute(0, 3, 1, 2), weight, bias, [Stride, Stride]).permute(0, 2, 3, 1));
}

/// <summary>Transposed shifted convolution with stride 2: the way back up from half the size.</summary>
internal sealed class ShiftedUpsampling(ParameterLayout layout, string name, int filters, CausalKernel kernel)
{
    /// <summary>[in, out, height, width]</summary>
    public WeightNormalised Weights { get; } = new(layout, name, [filters, filters, kernel.Height, kernel.Width], outputDimension: 1);

    /// <summary>Columns of the transposed convolution's result that come before the image's first.</summary>
    public int Crop => (kernel.Width - 1) / 2;

    /// <summary>[N, H, W, C] to [N, 2 H, 2 W, C].</summary>
    public Tensor Forward(ForwardContext context, Tensor input)
    {
        long height = 2 * input.shape[1], width = 2 * input.shape[2];
        return Weights.Apply(context, input, (x, weight, bias) =>
            F.conv_transpose2d(x.permute(0, 3, 1, 2), weight, bias, [2, 2]).permute(0, 2, 3, 1)
                .narrow(1, 0, height).narrow(2, Crop, width));
    }
}

/// <summary>The same linear map at every position (a 1x1 convolution, "network in network").</summary>
internal sealed class Pointwise(ParameterLayout layout, string name, int inputs, int outputs, double initialScale = 1)
{
    /// <summary>[out, in]</summary>
    public WeightNormalised Weights { get; } = new(layout, name, [outputs, inputs], outputDimension: 0, initialScale);

    /// <summary>[..., in] to [..., out].</summary>
    public Tensor Forward(ForwardContext context, Tensor input) => Weights.Apply(
        context, input, (x, weight, bias) => DirectConvolution.Takes(x, outputs)
            ? DirectConvolution.Apply(x, weight.view(outputs, inputs, 1, 1), bias ?? zeros(outputs), ImagePadding.None)
            : F.linear(x, weight, bias));
}
