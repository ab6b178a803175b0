using PixelCnnCluster.Model.Kernels.Gpu;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Kernels;

/// <summary>
/// Leaves a tensor as it is and tells when the backward pass comes by. The engine goes backwards by the order in which operations were
/// made, and adds up a parameter's gradient before anything else, so then the gradients of all layers that came later are known, or given
/// to a GPU to compute.
/// </summary>
internal sealed class BackwardHook : autograd.SingleTensorFunction<BackwardHook>
{
    public override string Name => nameof(BackwardHook);

    public static Tensor Apply(Tensor input, Action passed) => apply(input, passed);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        ctx.save_data("passed", vars[1]);
        return ((Tensor)vars[0]).alias();
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        BackwardScope.Begin(grad_output);
        ((Action)ctx.get_data("passed"))();
        return [grad_output.alias(), null!];
    }
}
