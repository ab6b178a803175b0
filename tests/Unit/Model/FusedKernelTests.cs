using System.Runtime.Intrinsics;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Kernels;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace PixelCnnCluster.Unit.Tests.Model;

/// <summary>The fused kernels equal the tensor operations that they stand for.</summary>
public sealed class FusedKernelTests
{
    /// <summary>Channels: fewer than, as many as, multiples of and more than the sixteen lanes.</summary>
    public static TheoryData<int, int, int, int> ChannelsAndPaddings
    {
        get
        {
            var data = new TheoryData<int, int, int, int>();
            foreach (int channels in new[] { 1, 5, 15, 16, 17, 32, 40 })
            {
                foreach ((int top, int left, int right) in new[] { (0, 0, 0), (1, 1, 1), (1, 1, 0), (0, 1, 1), (1, 0, 0), (2, 3, 0) })
                    data.Add(channels, top, left, right);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(ChannelsAndPaddings))]
    public void Concat_elu_with_padding_equals_the_composition(int channels, int top, int left, int right)
    {
        using DisposeScope scope = NewDisposeScope();
        var padding = new ImagePadding(top, left, right);
        Tensor fused = Input(channels), composed = fused.detach().clone().requires_grad_(true);
        Tensor actual = FusedConcatElu.Apply(fused, padding, 0, null);
        Tensor expected = F.pad(cat([composed.Elu(), composed.neg().Elu()], -1), [0, 0, left, right, top, 0]);
        AssertSame(expected, actual, composed, fused);
    }

    /// <summary>Rows that are not contiguous, as after a permutation.</summary>
    [Fact]
    public void Concat_elu_takes_a_permuted_input()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor fused = randn(2, 19, 3, 4).requires_grad_(true), composed = fused.detach().clone().requires_grad_(true);
        Tensor actual = FusedConcatElu.Apply(fused.permute(0, 2, 3, 1), new(1, 1, 1), 0, null);
        Tensor rows = composed.permute(0, 2, 3, 1);
        AssertSame(F.pad(cat([rows.Elu(), rows.neg().Elu()], -1), [0, 0, 1, 1, 1, 0]), actual, composed, fused);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(40)]
    public void Gate_equals_the_composition(int channels)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor x = Input(channels), gated = Input(2 * channels);
        Tensor otherX = x.detach().clone().requires_grad_(true), otherGated = gated.detach().clone().requires_grad_(true);
        Tensor actual = FusedGate.Apply(x, gated);
        Tensor a = otherGated.narrow(-1, 0, channels), b = otherGated.narrow(-1, channels, channels);
        AssertSame(otherX.Plus(a * b.sigmoid()), actual, otherGated, gated);
        Assert.InRange(x.grad!.DistanceTo(otherX.grad!), 0, 1e-6f);
    }

    /// <summary>The gradient comes permuted, as from a convolution.</summary>
    [Theory]
    [InlineData(1, 1, 1, 1)]
    [InlineData(7, 5, 2, 3)]
    [InlineData(32, 64, 2, 2)]
    public void Normalised_weights_equal_the_composition(int outputs, int inputs, int height, int width)
    {
        using DisposeScope scope = NewDisposeScope();
        using var generator = new Generator(3, CPU);
        // Not near zero, where a gradient's rounding grows without end.
        long[] shape = [outputs, inputs, height, width];
        Tensor direction = (randn(shape, generator: generator).sign() * rand(shape, generator: generator).Plus(0.5)).requires_grad_(true);
        Tensor scale = rand([outputs], generator: generator).Plus(0.5).requires_grad_(true);
        Tensor otherDirection = direction.detach().clone().requires_grad_(true), otherScale = scale.detach().clone().requires_grad_(true);
        Assert.True(FusedWeight.Takes(direction, outputDimension: 0));
        Tensor actual = FusedWeight.Apply(direction, scale, outputDimension: 0, ScalarType.Float32);
        Tensor expected = otherDirection * (otherScale / otherDirection.Squared().sum([1, 2, 3]).sqrt()).view(-1, 1, 1, 1);
        AssertSame(expected.permute(2, 3, 1, 0), actual.permute(2, 3, 1, 0), otherDirection, direction);
        Assert.InRange(scale.grad!.DistanceTo(otherScale.grad!), 0, 1e-5f);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(90)]
    [InlineData(-90)]
    [InlineData(1e30f)]
    [InlineData(-1e30f)]
    public void Large_and_zero_activations_are_right(float value)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor input = full([1, 1, 1, 17], value).requires_grad_(true);
        Tensor output = FusedConcatElu.Apply(input, ImagePadding.None, 0, null);
        output.sum().backward();
        float positive = value > 0 ? value : float.ExpM1(value), negative = value < 0 ? -value : float.ExpM1(-value);
        Assert.All(output.Floats()[..17], found => Assert.Equal(positive, found, 2e-7f));
        Assert.All(output.Floats()[17..], found => Assert.Equal(negative, found, 2e-7f));
        Assert.All(input.grad!.Floats(), slope => Assert.True(float.IsFinite(slope)));
    }

    [Fact]
    public void The_exponential_is_right_to_a_few_units_of_the_last_digit_and_has_no_infinity()
    {
        float[] points = [.. Enumerable.Range(-8700, 17500).Select(i => i / 100f), 0, -0f, 1e-30f, -1e-30f];
        foreach (float[] chunk in points.Chunk(VectorMath.Count))
        {
            Vector512<float> found = VectorMath.Exp(VectorMath.Load(chunk));
            for (int i = 0; i < chunk.Length; i++)
                Assert.InRange(found[i] / Math.Exp(chunk[i]), 1 - 2e-7, 1 + 2e-7);
        }

        Assert.Equal(1, VectorMath.Exp(Vector512<float>.Zero)[0]);
        Assert.InRange(VectorMath.Exp(Vector512.Create(float.NegativeInfinity))[0], 0, 2e-38f);
        Assert.InRange(VectorMath.Exp(Vector512.Create(float.PositiveInfinity))[0], 1e38f, float.PositiveInfinity);
        Assert.True(float.IsNaN(VectorMath.Exp(Vector512.Create(float.NaN))[0]));
    }

    [Theory]
    [InlineData(5, 0.5)]
    [InlineData(16, 0.5)]
    [InlineData(40, 0.1)]
    [InlineData(40, 0.9)]
    public void Dropout_zeroes_at_its_rate_scales_what_it_keeps_and_drops_the_same_on_the_way_back(int channels, double rate)
    {
        using DisposeScope scope = NewDisposeScope();
        var padding = new ImagePadding(1, 1, 0);
        Tensor fused = Input(channels), composed = fused.detach().clone().requires_grad_(true);
        Tensor actual = FusedConcatElu.Apply(fused, padding, rate, TensorMath.Number(11, CPU));
        Tensor plain = F.pad(cat([composed.Elu(), composed.neg().Elu()], -1), [0, 0, 1, 0, 1, 0]);
        Tensor kept = actual.detach().ne(zeros_like(actual)).to_type(ScalarType.Float32);
        AssertSame(plain * kept.Over(1 - rate), actual, composed, fused);
        Tensor inside = kept.narrow(1, 1, kept.shape[1] - 1).narrow(2, 1, kept.shape[2] - 1);
        double share = inside.mean().Value<float>(), deviation = Math.Sqrt(rate * (1 - rate) / inside.NumberOfElements);
        Assert.InRange(share, 1 - rate - (4 * deviation), 1 - rate + (4 * deviation));
    }

    [Fact]
    public void Dropout_is_the_same_for_the_same_seed_only()
    {
        using DisposeScope scope = NewDisposeScope();
        ulong[] seeds = [0, 1, 2, 3, 5UL << 32, 9UL << 33, 0x123456789ABCDEF0];
        float[][] masks = [.. seeds.Select(seed => Mask(seed).Floats())];
        for (int i = 0; i < seeds.Length; i++)
        {
            Assert.Equal(masks[i], Mask(seeds[i]).Floats());
            for (int j = 0; j < i; j++)
                Assert.InRange(Correlation(masks[i], masks[j]), -0.02, 0.02);
        }
    }

    /// <summary>A key that only moved the counters would give each seed another's mask with its places exchanged.</summary>
    [Fact]
    public void Dropout_of_one_seed_is_not_that_of_another_at_other_places()
    {
        float[] counters = [.. Enumerable.Range(0, 4096)];
        float[] Bits(uint key) => [.. counters.Chunk(VectorMath.Count).SelectMany(chunk =>
        {
            Vector512<uint> hashed = VectorMath.Hash(Vector512.Create([.. chunk.Select(c => (uint)c)]), key);
            return Enumerable.Range(0, VectorMath.Count).Select(i => hashed[i] >> 31 == 0 ? 0f : 1f);
        })];
        float[] one = Bits(1), other = Bits(1 ^ 6);
        Assert.InRange(Correlation(one, [.. counters.Select(c => other[(int)c ^ 6])]), -0.1, 0.1);
    }

    [Fact]
    public void Dropout_of_neighbours_is_not_correlated()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor mask = Mask(42); // [4, 16, 16, 64]
        for (int dimension = 0; dimension < 4; dimension++)
        {
            foreach (int distance in new[] { 1, 2 })
            {
                long length = mask.shape[dimension] - distance;
                double found = Correlation(mask.narrow(dimension, 0, length).Floats(), mask.narrow(dimension, distance, length).Floats());
                Assert.InRange(found, -0.02, 0.02);
            }
        }

        // Each pixel's positive half and negative half.
        Assert.InRange(Correlation(mask.narrow(3, 0, 32).Floats(), mask.narrow(3, 32, 32).Floats()), -0.02, 0.02);
    }

    [Theory]
    [InlineData(Nonlinearity.ConcatElu)]
    [InlineData(Nonlinearity.Elu)]
    [InlineData(Nonlinearity.Relu)]
    public void Every_nonlinearity_drops_only_where_it_may(Nonlinearity nonlinearity)
    {
        using DisposeScope scope = NewDisposeScope();
        using var parameters = new Parameters(new ParameterLayout(), zeros(0));
        var activation = new Activation(nonlinearity, 0.25);
        Tensor input = full([4, 16, 16, 20], 2f);
        Tensor Apply(bool dropping, bool mayDrop) =>
            activation.Apply(new ForwardContext(parameters) { Dropout = dropping, Seed = 5 }, input, ImagePadding.None, mayDrop);
        Tensor plain = Apply(dropping: false, mayDrop: true), dropped = Apply(dropping: true, mayDrop: true);
        Assert.Equal(20 * activation.Expansion, plain.shape[3]);
        Assert.Equal(plain.Floats(), Apply(dropping: true, mayDrop: false).Floats());
        Assert.Equal(dropped.Floats(), Apply(dropping: true, mayDrop: true).Floats());
        float[] share = (dropped / plain).Floats();
        Assert.All(share, factor => Assert.True(factor == 0 || Math.Abs(factor - (4 / 3f)) < 1e-5));
        Assert.Equal(0.75, share.Count(factor => factor > 0) / (double)share.Length, 0.02);
    }

    /// <summary>0 where an activation is dropped and 1 where it is kept, [4, 16, 16, 64].</summary>
    private static Tensor Mask(ulong seed) =>
        FusedConcatElu.Apply(ones(4, 16, 16, 32), ImagePadding.None, 0.5, TensorMath.Number(ForwardContext.MaskKey(seed), CPU)).abs()
            .IsAbove(0).to_type(ScalarType.Float32);

    private static double Correlation(float[] a, float[] b)
    {
        double meanA = a.Average(), meanB = b.Average();
        double both = a.Zip(b, (x, y) => (x - meanA) * (y - meanB)).Sum();
        return both / Math.Sqrt(a.Sum(x => (x - meanA) * (x - meanA)) * b.Sum(y => (y - meanB) * (y - meanB)));
    }

    private static Tensor Input(int channels)
    {
        using var generator = new Generator((ulong)channels, CPU);
        return randn([2, 5, 3, channels], generator: generator).Times(2).requires_grad_(true);
    }

    /// <summary>Values and, for random gradients of the outputs, the inputs' gradients.</summary>
    private static void AssertSame(Tensor expected, Tensor actual, Tensor expectedLeaf, Tensor actualLeaf)
    {
        Assert.InRange(actual.DistanceTo(expected), 0, 2e-6f);
        Tensor slope = randn_like(expected);
        (expected * slope).sum().backward();
        (actual * slope).sum().backward();
        Assert.InRange(actualLeaf.grad!.DistanceTo(expectedLeaf.grad!), 0, 1e-5f);
    }
}
