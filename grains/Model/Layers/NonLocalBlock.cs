using PixelCnnCluster.Model.Tensors;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Layers;

/// <summary>
/// Non-local block (arXiv 1711.07971), embedded Gaussian, made causal: a position attends to those that come no later in
/// raster order. The products are scaled by the root of their length, as in attention, because the embeddings start with unit
/// variance. The last projection starts as zero, so the block starts as an identity.
/// </summary>
internal sealed class NonLocalBlock(ParameterLayout layout, string name, int filters)
{
    public Pointwise Query { get; } = new(layout, name + ".query", filters, filters / 2);

    public Pointwise Key { get; } = new(layout, name + ".key", filters, filters / 2);

    public Pointwise Value { get; } = new(layout, name + ".value", filters, filters / 2);

    public Pointwise Project { get; } = new(layout, name + ".project", filters / 2, filters, initialScale: 0);

    /// <summary>Length of queries, keys and values.</summary>
    public int Embedded => filters / 2;

    /// <summary>[N, H, W, C] to the same.</summary>
    public Tensor Forward(ForwardContext context, Tensor input)
    {
        Tensor positions = input.flatten(1, 2);
        long length = positions.shape[1];
        Tensor later = ones([length, length], dtype: ScalarType.Bool, device: input.device).triu(1);
        Tensor affinity = Query.Forward(context, positions).matmul(Key.Forward(context, positions).transpose(1, 2))
            .Over(Math.Sqrt(Embedded));
        Tensor attention = affinity.FilledWith(later, double.NegativeInfinity).softmax(-1);
        return input.Plus(Project.Forward(context, attention.matmul(Value.Forward(context, positions))).view(input.shape));
    }
}
