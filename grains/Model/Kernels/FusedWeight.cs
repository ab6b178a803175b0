using PixelCnnCluster.Model.Kernels.Gpu;
using PixelCnnCluster.Model.Tensors;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace PixelCnnCluster.Model.Kernels;

/// <summary>Weights g v / |v| in one pass over memory, forward and backward.</summary>
internal sealed class FusedWeight : autograd.SingleTensorFunction<FusedWeight>
{
    public override string Name => nameof(FusedWeight);

    /// <summary>Whether there is a kernel: on GPUs, and on the CPU where a filter is one run of memory.</summary>
    public static bool Takes(Tensor direction, int outputDimension) =>
        direction.IsOnCpu() ? outputDimension == 0 : GpuKernels.Takes(direction);

    /// <param name="direction">v, float32.</param>
    /// <param name="scale">g, float32 [filters].</param>
    /// <param name="outputDimension">The dimension of v that the filters are.</param>
    /// <param name="type">What the weights are to be.</param>
    public static Tensor Apply(Tensor direction, Tensor scale, int outputDimension, ScalarType type) => direction.IsOnCpu()
        ? apply(direction, scale, outputDimension, ScalarType.Float32).As(type)
        : apply(direction, scale, outputDimension, type);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        Tensor direction = (Tensor)vars[0], scale = (Tensor)vars[1];
        var type = (ScalarType)vars[3];
        ctx.save_for_backward([direction, scale]);
        ctx.save_data("outputDimension", vars[2]);
        Tensor output = empty(direction.shape, type, direction.device);
        if (direction.IsOnCpu())
            Forward(FusedConcatElu.Floats(direction), FusedConcatElu.Floats(scale), FusedConcatElu.Floats(output));
        else
            GpuKernels.Of(direction).ForBlocks(
                "weight", type, scale.numel(), KernelLibrary.BlockSize, [direction, scale, output], Numbers(direction, (int)vars[2]));
        return output;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        BackwardScope.Begin(grad_output);
        List<Tensor> saved = ctx.get_saved_variables();
        using Tensor direction = saved[0], scale = saved[1], gradient = grad_output.contiguous();
        Tensor toDirection = empty_like(direction), toScale = empty_like(scale);
        if (direction.IsOnCpu())
            Backward(
                FusedConcatElu.Floats(direction), FusedConcatElu.Floats(scale), FusedConcatElu.Floats(gradient),
                FusedConcatElu.Floats(toDirection), FusedConcatElu.Floats(toScale));
        else
            GpuKernels.Of(direction).ForBlocks(
                "weight_backward", gradient.dtype, scale.numel(), KernelLibrary.BlockSize,
                [direction, scale, gradient, toDirection, toScale], Numbers(direction, (int)ctx.get_data("outputDimension")));
        return [toDirection, toScale, null!, null!];
    }

    private static void Forward(ReadOnlySpan<float> direction, ReadOnlySpan<float> scale, Span<float> output)
    {
        int length = direction.Length / scale.Length;
        for (int filter = 0; filter < scale.Length; filter++)
        {
            ReadOnlySpan<float> v = direction.Slice(filter * length, length);
            TensorPrimitives.Multiply(v, scale[filter] / TensorPrimitives.Norm(v), output.Slice(filter * length, length));
        }
    }

    /// <summary>With u = v / |v| and the weight's gradient d: that of g is d u, that of v is g / |v| (d - (d u) u).</summary>
    private static void Backward(
        ReadOnlySpan<float> direction, ReadOnlySpan<float> scale, ReadOnlySpan<float> gradient, Span<float> toDirection,
        Span<float> toScale)
    {
        int length = direction.Length / scale.Length;
        for (int filter = 0; filter < scale.Length; filter++)
        {
            ReadOnlySpan<float> v = direction.Slice(filter * length, length), d = gradient.Slice(filter * length, length);
            Span<float> result = toDirection.Slice(filter * length, length);
            float norm = TensorPrimitives.Norm(v), along = TensorPrimitives.Dot(d, v) / norm;
            toScale[filter] = along;
            TensorPrimitives.MultiplyAdd(v, -along / norm, d, result);
            TensorPrimitives.Multiply(result, scale[filter] / norm, result);
        }
    }

    /// <summary>Elements of a filter, and how many of them lie side by side.</summary>
    internal static uint[] Numbers(Tensor direction, int outputDimension) =>
    [
        (uint)(direction.numel() / direction.shape[outputDimension]),
        (uint)direction.shape.Skip(outputDimension + 1).Aggregate(1L, (product, side) => product * side),
    ];
}
