using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Objectives;
using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Model;

/// <summary>The network and the likelihood give what an independent implementation gives.</summary>
public sealed class ReferenceVectorTests
{
    [Theory]
    [MemberData(nameof(ReferenceVector.Paths), MemberType = typeof(ReferenceVector))]
    public void LogitsAgree(string path)
    {
        using DisposeScope scope = NewDisposeScope();
        using var vector = ReferenceVector.Load(path);
        Tensor logits = vector.Network.Forward(new ForwardContext(vector.Parameters), vector.Images);
        Assert.InRange((logits - vector["logits"]).abs().max().Value<float>(), 0, 1e-4f);
    }

    [Theory]
    [MemberData(nameof(ReferenceVector.Paths), MemberType = typeof(ReferenceVector))]
    public void LikelihoodAndItsGradientAgree(string path)
    {
        using DisposeScope scope = NewDisposeScope();
        using var vector = ReferenceVector.Load(path);
        foreach (string prefix in new[] { "", "wide." })
        {
            Tensor logits = vector[prefix + "logits"].requires_grad_(true);
            Tensor loss = Losses.Sum(Objective.Likelihood, logits, vector.Images, focalGamma: 0);
            loss.backward();
            float expected = vector[prefix + "loss_nats"].Value<float>();
            Assert.InRange(Math.Abs(loss.Value<float>() - expected) / expected, 0, 1e-5);
            Tensor gradient = vector[prefix + "dloss_dlogits"];
            Assert.InRange(((logits.grad! - gradient).norm() / gradient.norm()).Value<float>(), 0, 1e-4f);
        }
    }
}
