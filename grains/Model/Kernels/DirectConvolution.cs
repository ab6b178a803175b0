using System.Runtime.Intrinsics.X86;
using PixelCnnCluster.Model.Tensors;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Kernels;

/// <summary>
/// A convolution with stride 1 as matrix products that read the image where it lies: a filter's row and the channels beneath it are one run
/// of memory. The tensor library's takes longer where the processor has no AVX-512, above all for the gradients.
/// </summary>
internal sealed unsafe class DirectConvolution : autograd.SingleTensorFunction<DirectConvolution>
{
    public override string Name => nameof(DirectConvolution);

    /// <summary>
    /// Whether it is the faster one for such an input [N, H, W, in] and as many outputs; channels must come in whole blocks.
    /// </summary>
    public static bool Takes(Tensor input, int outputs) =>
        Fma.IsSupported && !Avx512F.IsSupported && input.IsOnCpu() && input.dtype == ScalarType.Float32
        && input.shape.Length == 4 && input.shape[3] % MatrixProduct.Block == 0 && outputs % MatrixProduct.Block == 0;

    /// <summary>
    /// [N, H + top, W + left + right, in], whose zeros around the image are no variables and get no gradient, to [N, H, W, out].
    /// </summary>
    /// <param name="weight">[out, in, height, width], of a height of 1 + top and a width of 1 + left + right.</param>
    /// <param name="bias">[out]</param>
    public static Tensor Apply(Tensor input, Tensor weight, Tensor bias, ImagePadding padding) => apply(input, weight, bias, padding);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        Tensor input = ((Tensor)vars[0]).contiguous(), weight = (Tensor)vars[1], bias = (Tensor)vars[2];
        var shape = new Shape(input.shape, weight.shape, (ImagePadding)vars[3]);
        ctx.save_for_backward([input, weight]);
        ctx.save_data("shape", shape);
        using Tensor matrix = Blocks(weight);
        Tensor output = empty(shape.Images, shape.Height, shape.Width, shape.Outputs);
        fixed (float* x = FusedConcatElu.Floats(input), w = FusedConcatElu.Floats(matrix), b = FusedConcatElu.Floats(bias),
            y = FusedConcatElu.Floats(output))
        {
            for (int n = 0; n < shape.Images; n++)
                shape.Apply(
                    x + (n * shape.PaddedPixels * shape.Inputs), shape.Inputs, w, b, y
                        + (n * shape.Pixels * shape.Outputs), shape.Width, shape.Outputs);
        }

        return output;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        List<Tensor> saved = ctx.get_saved_variables();
        using Tensor input = saved[0], weight = saved[1], gradient = grad_output.contiguous();
        var shape = (Shape)ctx.get_data("shape");
        // The way back is a convolution, too, of the gradient with zeros below it and to its sides, by filters that are turned around.
        using Tensor flipped = weight.flip(2, 3), turned = flipped.transpose(0, 1), matrix = Blocks(turned), none = zeros(shape.Inputs);
        using Tensor framed = zeros(shape.PaddedPixels * shape.Outputs);
        Tensor toInput = empty(input.shape), toWeight = zeros(shape.FilterHeight, shape.FilterWidth, shape.Inputs, shape.Outputs);
        fixed (float* x = FusedConcatElu.Floats(input), g = FusedConcatElu.Floats(gradient), w = FusedConcatElu.Floats(matrix),
            b = FusedConcatElu.Floats(none))
        fixed (float* f = FusedConcatElu.Floats(framed), dx = FusedConcatElu.Floats(toInput), dw = FusedConcatElu.Floats(toWeight))
        {
            for (int n = 0; n < shape.Images; n++)
            {
                shape.Frame(g + (n * shape.Pixels * shape.Outputs), f);
                shape.ClearFrame(dx + (n * shape.PaddedPixels * shape.Inputs));
                shape.Apply(
                    f, shape.Outputs, w, b, dx
                        + (((n * shape.PaddedPixels) + shape.FirstPixel) * shape.Inputs), shape.PaddedWidth, shape.Inputs);
                shape.AddWeightGradient(x + (n * shape.PaddedPixels * shape.Inputs), f, dw);
            }
        }

        return [toInput, toWeight.permute(3, 2, 0, 1), gradient.sum([0, 1, 2]), null!];
    }

    /// <summary>[out, in, height, width] to blocks of outputs, each [height, width, in, block].</summary>
    private static Tensor Blocks(Tensor weight)
    {
        using Tensor blocks = weight.unflatten(0, [-1, MatrixProduct.Block]), permuted = blocks.permute(0, 3, 4, 2, 1);
        return permuted.contiguous();
    }

    /// <summary>The loops over an image's rows.</summary>
    private sealed class Shape(long[] input, long[] weight, ImagePadding padding)
    {
        /// <summary>Pixels between whose loads and stores of sums the images' lines stay in the nearest cache.</summary>
        private const int Run = 64;

        public int Images { get; } = (int)input[0];

        public int Inputs { get; } = (int)input[3];

        public int Outputs { get; } = (int)weight[0];

        public int FilterHeight { get; } = (int)weight[2];

        public int FilterWidth { get; } = (int)weight[3];

        public int PaddedWidth { get; } = (int)input[2];

        public int PaddedPixels { get; } = (int)(input[1] * input[2]);

        public int Height { get; } = (int)input[1] - padding.Top;

        public int Width { get; } = (int)input[2] - padding.Left - padding.Right;

        public int Pixels => Height * Width;

        /// <summary>Of the image in the padded one.</summary>
        public int FirstPixel => (padding.Top * PaddedWidth) + padding.Left;

        /// <summary>Image [H + top, W + left + right, inputs] by filters in blocks, plus a bias, to output [H, W, outputs].</summary>
        /// <param name="outputWidth">Pixels from one row of the output to the next.</param>
        public void Apply(float* image, int inputs, float* filters, float* bias, float* output, int outputWidth, int outputs)
        {
            int inner = FilterWidth * inputs;
            for (int block = 0; block < outputs; block += MatrixProduct.Block)
            {
                float* target = output + block;
                // A filter's row at a time: it stays in the nearest cache.
                for (int above = 0; above < FilterHeight; above++)
                {
                    float* row = filters + (((block * FilterHeight) + (above * MatrixProduct.Block)) * inner);
                    for (int y = 0; y < Height; y++)
                    {
                        float* source = image + ((above + y) * PaddedWidth * inputs), to = target + (y * outputWidth * outputs);
                        float* start = above == 0 ? bias + block : to;
                        MatrixProduct.AddBlock(
                            source, inputs, 1, row, MatrixProduct.Block, inner, start, above == 0 ? 0 : outputs, to, outputs, Width);
                    }
                }
            }
        }

        /// <summary>Copies a gradient [H, W, out] into [H + top, W + right + left, out], whose frame of zeros stays.</summary>
        public void Frame(float* gradient, float* framed)
        {
            int row = Width * Outputs;
            for (int y = 0; y < Height; y++)
                new ReadOnlySpan<float>(gradient + (y * row), row).CopyTo(
                    new(framed + (((y * PaddedWidth) + padding.Right) * Outputs), row));
        }

        /// <summary>Zeros around an image [H + top, W + left + right, in], whose frame has no gradient.</summary>
        public void ClearFrame(float* image)
        {
            new Span<float>(image, FirstPixel * Inputs).Clear();
            for (int y = 1; y < Height; y++)
                new Span<float>(
                    image + ((FirstPixel + (y * PaddedWidth) - padding.Right - padding.Left) * Inputs),
                    (padding.Right + padding.Left) * Inputs).Clear();
            new Span<float>(image + ((PaddedPixels - padding.Right) * Inputs), padding.Right * Inputs).Clear();
        }

        /// <summary>
        /// result [height, width, in, out] += the gradient of the filters from one image, whose rows are taken as one: between them the
        /// framed gradient is zero.
        /// </summary>
        public void AddWeightGradient(float* image, float* framed, float* result)
        {
            int rows = FilterWidth * Inputs, pixels = (Height * PaddedWidth) - padding.Left - padding.Right;
            for (int first = 0; first < pixels; first += Run)
            {
                for (int above = 0; above < FilterHeight; above++)
                {
                    MatrixProduct.AddTransposed(
                        image + (((above * PaddedWidth) + first) * Inputs), Inputs, framed
                            + ((first + padding.Right) * Outputs), Math.Min(Run, pixels - first),
                        result + (above * rows * Outputs), rows, Outputs);
                }
            }
        }
    }
}
