using static TorchSharp.torch;

namespace PixelCnnCluster.Model;

/// <summary>Weights g v / |v| in one pass over memory, forward and backward, on GPUs.</summary>
internal sealed class FusedWeight : autograd.SingleTensorFunction<FusedWeight>
{
    public override string Name => nameof(FusedWeight);

    /// <param name="direction">v, float32.</param>
    /// <param name="scale">g, float32 [filters].</param>
    /// <param name="outputDimension">The dimension of v that the filters are.</param>
    /// <param name="type">What the weights are to be.</param>
    public static Tensor Apply(Tensor direction, Tensor scale, int outputDimension, ScalarType type) => apply(direction, scale, outputDimension, type);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        Tensor direction = (Tensor)vars[0], scale = (Tensor)vars[1];
        var type = (ScalarType)vars[3];
        uint[] numbers = Numbers(direction.shape, (int)vars[2]);
        ctx.save_for_backward([direction, scale]);
        ctx.save_data("numbers", numbers);
        Tensor output = empty(direction.shape, type, direction.device);
        GpuKernels.ForBlocks("weight", type, scale.numel(), [direction, scale, output], numbers);
        return output;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        BackwardScope.Begin(grad_output);
        List<Tensor> saved = ctx.get_saved_variables();
        using Tensor direction = saved[0], scale = saved[1], gradient = grad_output.contiguous();
        Tensor toDirection = empty_like(direction), toScale = empty_like(scale);
        GpuKernels.ForBlocks("weight_backward", gradient.dtype, scale.numel(), [direction, scale, gradient, toDirection, toScale], (uint[])ctx.get_data("numbers"));
        return [toDirection, toScale, null!, null!];
    }

    /// <summary>Elements of a filter, and how many of them lie side by side.</summary>
    private static uint[] Numbers(long[] shape, int outputDimension) =>
    [
        (uint)(shape.Aggregate(1L, (product, side) => product * side) / shape[outputDimension]),
        (uint)shape.Skip(outputDimension + 1).Aggregate(1L, (product, side) => product * side),
    ];
}
