using System.Runtime.Intrinsics.X86;
using PixelCnnCluster.Model.Kernels;
using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace PixelCnnCluster.Unit.Tests.Model;

/// <summary>The direct convolution equals the tensor library's, on processors that use it and those that do not.</summary>
public sealed class DirectConvolutionTests
{
    /// <summary>Filters of the network, 1x1 ones included, on images of fewer, as many and more pixels than are computed at once.</summary>
    [Theory]
    [InlineData(1, 1, 16, 16, 1, 1, 1)]
    [InlineData(5, 7, 32, 16, 1, 1, 1)]
    [InlineData(7, 3, 16, 48, 1, 0, 0)]
    [InlineData(3, 2, 48, 32, 1, 1, 0)]
    [InlineData(3, 5, 16, 32, 0, 1, 1)]
    [InlineData(28, 28, 64, 32, 1, 1, 0)]
    [InlineData(2, 3, 16, 16, 0, 0, 0)]
    [InlineData(9, 13, 32, 64, 0, 0, 0)]
    [InlineData(4, 6, 16, 16, 2, 2, 2)]
    public void Output_and_gradients_equal_the_librarys(int height, int width, int inputs, int outputs, params int[] around)
    {
        (int top, int left, int right) = (around[0], around[1], around[2]);
        using DisposeScope scope = NewDisposeScope();
        using var generator = new Generator((ulong)(height + width + inputs), CPU);
        Tensor Leaf(params long[] shape) => randn(shape, generator: generator).requires_grad_(true);
        Tensor input = Leaf(2, height, width, inputs), weight = Leaf(outputs, inputs, 1 + top, 1 + left + right), bias = Leaf(outputs);
        Tensor[] leaves = [input, weight, bias], others = [.. leaves.Select(leaf => leaf.detach().clone().requires_grad_(true))];
        var padding = new ImagePadding(top, left, right);

        Tensor actual = DirectConvolution.Apply(padding.Apply(input), weight, bias, padding);
        Tensor expected = F.conv2d(padding.Apply(others[0]).permute(0, 3, 1, 2), others[1], others[2]).permute(0, 2, 3, 1);
        AssertClose(expected, actual);

        Tensor slope = randn(expected.shape, generator: generator);
        (actual * slope).sum().backward();
        (expected * slope).sum().backward();
        for (int i = 0; i < leaves.Length; i++)
            AssertClose(others[i].grad!, leaves[i].grad!);
    }

    /// <summary>As a permutation or the sum's gradient leaves them.</summary>
    [Fact]
    public void Tensors_need_not_be_contiguous()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor input = randn(2, 16, 5, 4).requires_grad_(true), other = input.detach().clone().requires_grad_(true);
        Tensor weight = randn(16, 3, 2, 16).requires_grad_(true), otherWeight = weight.detach().clone().requires_grad_(true),
            bias = randn(16);
        Tensor actual = DirectConvolution.Apply(
            new ImagePadding(1, 1, 1).Apply(input.permute(0, 2, 3, 1)), weight.permute(0, 3, 2, 1), bias, new(1, 1, 1));
        Tensor expected = F.conv2d(F.pad(other, [1, 1, 1, 0]), otherWeight.permute(0, 3, 2, 1), bias).permute(0, 2, 3, 1);
        AssertClose(expected, actual);
        actual.sum().backward();
        expected.sum().backward();
        AssertClose(other.grad!, input.grad!);
        AssertClose(otherWeight.grad!, weight.grad!);
    }

    [Fact]
    public void Only_whole_blocks_of_channels_in_float32_are_taken()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor image = zeros(1, 2, 2, 16);
        Assert.False(DirectConvolution.Takes(image, outputs: 8));
        Assert.False(DirectConvolution.Takes(zeros(1, 2, 2, 8), outputs: 16));
        Assert.False(DirectConvolution.Takes(image.to_type(ScalarType.BFloat16), outputs: 16));
        Assert.False(DirectConvolution.Takes(image.unsqueeze(0), outputs: 16));
        Assert.Equal(Fma.IsSupported && !Avx512F.IsSupported, DirectConvolution.Takes(image, outputs: 16));
    }

    private static void AssertClose(Tensor expected, Tensor actual) =>
        Assert.InRange(actual.DistanceTo(expected) / expected.abs().max().Value<float>(), 0, 5e-6f);
}
