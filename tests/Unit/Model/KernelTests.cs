using PixelCnnCluster.Model.Kernels;
using PixelCnnCluster.Model.Kernels.Gpu;
using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Model;

/// <summary>A GPU's kernels do what the CPU's do, forward and backward, in both types.</summary>
[Trait("Needs", "processes")]
public sealed class KernelTests
{
    private readonly EmulatedKernels _kernels = new();

    public static TheoryData<bool, int, double> Activations => new()
    {
        { false, 5, 0 }, { false, 16, 0.5 }, { false, 40, 0.1 }, { true, 5, 0 }, { true, 40, 0.5 },
    };

    [Theory]
    [MemberData(nameof(Activations))]
    public void Concatenated_elu_is_the_cpus(bool bf16, int channels, double dropout)
    {
        using DisposeScope scope = NewDisposeScope();
        var padding = new ImagePadding(2, 1, 3);
        Tensor input = Input(bf16, 2, 3, 4, channels).requires_grad_(true), key = TensorMath.Number(11, CPU);
        Tensor expected = FusedConcatElu.Apply(input, padding, dropout, key), slope = Input(bf16, expected.shape);
        expected.backward([slope]);

        ScalarType type = bf16 ? ScalarType.BFloat16 : ScalarType.Float32;
        Tensor given = input.detach().to_type(type), output = full(expected.shape, float.NaN, type),
            back = full(input.shape, float.NaN, type);
        uint[] numbers = new FusedConcatElu.Rows(input.shape, padding, dropout).Numbers;
        _kernels.ForEach("concat_elu", type, output.numel() / 2, [given, key, output], numbers);
        _kernels.ForEach("concat_elu_backward", type, given.numel(), [given, key, slope.to_type(type), back], numbers);
        AssertNear(expected, output, bf16);
        AssertNear(input.grad!, back, bf16);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Gate_is_the_cpus(bool bf16)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor x = Input(bf16, 2, 3, 4, 20).requires_grad_(true), gated = Input(bf16, 2, 3, 4, 40).requires_grad_(true);
        Tensor expected = FusedGate.Apply(x, gated), slope = Input(bf16, expected.shape);
        expected.backward([slope]);

        ScalarType type = bf16 ? ScalarType.BFloat16 : ScalarType.Float32;
        Tensor given = gated.detach().to_type(type), output = full(x.shape, float.NaN, type), back = full(gated.shape, float.NaN, type);
        _kernels.ForEach("gate", type, x.numel(), [x.detach().to_type(type), given, output], 20);
        _kernels.ForEach("gate_backward", type, x.numel(), [given, slope.to_type(type), back], 20);
        AssertNear(expected, output, bf16);
        AssertNear(gated.grad!, back, bf16);
    }

    /// <summary>Filters that are the first dimension, and the second as those of transposed convolutions.</summary>
    [Theory]
    [InlineData(false, 0)]
    [InlineData(false, 1)]
    [InlineData(true, 0)]
    [InlineData(true, 1)]
    public void Normalised_weights_are_the_composition(bool bf16, int outputDimension)
    {
        using DisposeScope scope = NewDisposeScope();
        long[] shape = [6, 7, 5, 9];
        int filters = (int)shape[outputDimension];
        Tensor direction = Input(false, shape).requires_grad_(true), scale = Input(false, filters).requires_grad_(true);
        long[] others = [.. Enumerable.Range(0, 4).Where(dimension => dimension != outputDimension)],
            across = [.. Enumerable.Range(0, 4).Select(d => d == outputDimension ? filters : 1L)];
        Tensor expected = direction * (scale / direction.Squared().sum(others).sqrt()).view(across), slope = Input(bf16, shape);
        expected.backward([slope]);

        ScalarType type = bf16 ? ScalarType.BFloat16 : ScalarType.Float32;
        Tensor v = direction.detach(), g = scale.detach(), output = full(shape, float.NaN, type), toDirection = full(shape, float.NaN),
            toScale = full([filters], float.NaN);
        _kernels.ForBlocks("weight", type, filters, KernelLibrary.BlockSize, [v, g, output], FusedWeight.Numbers(v, outputDimension));
        _kernels.ForBlocks(
            "weight_backward", type, filters, KernelLibrary.BlockSize, [v, g, slope.to_type(type), toDirection, toScale],
            FusedWeight.Numbers(v, outputDimension));
        AssertNear(expected, output, bf16);
        AssertNear(direction.grad!, toDirection, bf16: false);
        AssertNear(scale.grad!, toScale, bf16: false);
    }

    /// <summary>Numbers that both types have.</summary>
    private static Tensor Input(bool bf16, params long[] shape)
    {
        using var generator = new Generator((ulong)shape.Sum(), CPU);
        Tensor drawn = randn(shape, generator: generator);
        return bf16 ? drawn.to_type(ScalarType.BFloat16).to_type(ScalarType.Float32) : drawn;
    }

    private static void AssertNear(Tensor expected, Tensor actual, bool bf16)
    {
        float tolerance = bf16 ? 1f / 256 : 2e-6f;
        foreach ((float right, float found) in expected.detach().Floats().Zip(actual.to_type(ScalarType.Float32).Floats()))
            Assert.InRange(found, right - (tolerance * Math.Max(1, Math.Abs(right))), right + (tolerance * Math.Max(1, Math.Abs(right))));
    }
}
