using PixelCnnCluster.Model.Tensors;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Kernels.Gpu;

/// <summary>
/// A GPU's backward pass runs on a thread of libtorch's own, which no scope of ours surrounds: what our functions make there would stay
/// until the garbage collector comes by, and that does not see a card's memory fill. Here it stays until the next of our functions begins
/// there.
/// </summary>
internal static class BackwardScope
{
    [ThreadStatic]
    private static TorchSharp.DisposeScope? _scope;

    /// <summary>Frees what the function before made; TorchSharp has handed its results on by now.</summary>
    /// <param name="gradient">What this function was given.</param>
    public static void Begin(Tensor gradient)
    {
        if (gradient.IsOnCpu())
            return;
        _scope ??= NewDisposeScope();
        _scope.DisposeEverythingBut(gradient);
    }
}
