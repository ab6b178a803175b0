using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Model;

/// <summary>Weight normalisation and its data-dependent initialisation (arXiv 1602.07868).</summary>
public sealed class WeightNormalisedTests
{
    private const int Inputs = 5, Outputs = 7;

    /// <summary>The network's kinds of layers, each with how far its outputs are to deviate at first.</summary>
    public static TheoryData<string, double> Layers => new()
    {
        { "down", 1 }, { "down right", 1 }, { "wide", 1 }, { "strided", 1 }, { "conv_out", 0.1 },
        { "pointwise", 1 }, { "upsampling down", 1 }, { "upsampling down right", 1 },
    };

    [Theory]
    [MemberData(nameof(Layers))]
    public void First_batch_sets_mean_zero_and_the_deviation_for_each_filter(string kind, double deviation)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable none = no_grad();
        var layout = new ParameterLayout();
        Func<ForwardContext, Tensor, Tensor> layer = Layer(layout, kind);
        using Parameters parameters = Random(layout);
        Tensor input = Input(kind);
        Tensor first = layer(new ForwardContext(parameters) { Initialising = true }, input);
        Tensor later = layer(new ForwardContext(parameters), input);
        Assert.Equal(first.Floats(), later.Floats());
        Tensor filters = later.flatten(0, -2);
        Assert.All(filters.mean([0]).Floats(), mean => Assert.Equal(0, mean, 1e-5f));
        Assert.All(
            filters.var(0, unbiased: false).Floats(),
            variance => Assert.Equal(deviation * deviation, variance, 1e-3 * deviation * deviation));
        Assert.All(parameters[Named(layout, ".g")].Floats(), scale => Assert.True(scale > 0));
        Assert.All(parameters[Named(layout, ".b")].Floats(), bias => Assert.NotEqual(0, bias));
    }

    [Theory]
    [MemberData(nameof(Layers))]
    public void Scale_is_the_norm_of_each_filter_whatever_the_length_of_v(string kind, double deviation)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable none = no_grad();
        Assert.InRange(deviation, 0, 1);
        var layout = new ParameterLayout();
        Func<ForwardContext, Tensor, Tensor> layer = Layer(layout, kind);
        using Parameters parameters = Random(layout);
        Tensor v = parameters[Named(layout, ".v")], g = parameters[Named(layout, ".g")];
        g.copy_(rand(g.shape).Plus(0.5));
        Tensor input = Input(kind);
        Tensor output = layer(new ForwardContext(parameters), input);
        v.copy_(v.Times(37));
        Assert.InRange(layer(new ForwardContext(parameters), input).DistanceTo(output), 0, 1e-4f);

        // The layer is linear with zero bias, so unit impulses give its weights back.
        bool up = kind.StartsWith("upsampling", StringComparison.Ordinal);
        int outputDimension = up ? 1 : 0;
        Tensor direction = v.transpose(0, outputDimension).flatten(1);
        Tensor weight = direction / direction.norm(1).unsqueeze(1) * g.unsqueeze(1);
        Assert.InRange(weight.norm(1).DistanceTo(g), 0, 1e-5f);
        var normalised = new WeightNormalised(new ParameterLayout(), "same", v.shape, outputDimension);
        Assert.InRange(normalised.Weight(parameters).transpose(0, outputDimension).flatten(1).DistanceTo(weight), 0, 1e-5f);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void First_batch_sets_every_layer_of_the_network(bool energyDistance)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable none = no_grad();
        var network = new PixelCnn(TinyNetwork.Shape with { Channels = 3, NonLocal = true, Classes = 2, EnergyDistance = energyDistance });
        using var parameters = new Parameters(network.Layout, zeros(network.Layout.Length));
        network.SampleParameters(parameters, 1);
        Tensor images = TinyNetwork.RandomImages(2, 8, 3, 8, 8), labels = tensor(new long[] { 0, 1, 0, 1, 0, 1, 0, 1 });
        Tensor first = network.Forward(new ForwardContext(parameters) { Labels = labels, Initialising = true, Seed = 4 }, images);
        Assert.Equal(first.Floats(), network.Forward(new ForwardContext(parameters) { Labels = labels, Seed = 4 }, images).Floats());
        foreach (Slot slot in network.Layout.Slots)
        {
            bool startsAsZero = slot.Name.Contains(".project.", StringComparison.Ordinal)
                && !slot.Name.EndsWith(".v", StringComparison.Ordinal);
            Assert.All(parameters[slot].Floats(), value => Assert.Equal(startsAsZero, value == 0));
        }

        if (!energyDistance)
        {
            Tensor filters = first.transpose(0, 1).flatten(1);
            Assert.All(filters.mean([1]).Floats(), mean => Assert.Equal(0, mean, 1e-5f));
            Assert.All(filters.var(1, unbiased: false).Floats(), variance => Assert.Equal(1, variance, 1e-3f));
        }
    }

    [Fact]
    public void Padding_and_gaps_of_the_flat_vector_belong_to_no_parameter()
    {
        var network = new PixelCnn(TinyNetwork.Shape with { NonLocal = true, Classes = 3 });
        long end = 0;
        Assert.All(network.Layout.Slots, slot =>
        {
            Assert.True(slot.Offset >= end && slot.Offset % 16 == 0);
            end = slot.Offset + slot.Length;
        });
        Assert.True(network.Layout.Length >= end && network.Layout.Length - end < 16);
        Assert.Equal(network.Layout.Slots.Count, network.Layout.Slots.Select(slot => slot.Name).Distinct().Count());
    }

    private static Func<ForwardContext, Tensor, Tensor> Layer(ParameterLayout layout, string kind) => kind switch
    {
        "down" => new ShiftedConvolution(layout, kind, Inputs, Outputs, CausalKernel.Down()).Forward,
        "down right" => new ShiftedConvolution(layout, kind, Inputs, Outputs, CausalKernel.DownRight()).Forward,
        "wide" => new ShiftedConvolution(layout, kind, Inputs, Outputs, CausalKernel.Down(1, 3)).Forward,
        "strided" => new ShiftedConvolution(layout, kind, Inputs, Outputs, CausalKernel.Down()) { Stride = 2 }.Forward,
        "conv_out" => new ShiftedConvolution(layout, kind, Inputs, Outputs, CausalKernel.DownRight(), initialScale: 0.1).Forward,
        "pointwise" => new Pointwise(layout, kind, Inputs, Outputs).Forward,
        "upsampling down" => new ShiftedUpsampling(layout, kind, Outputs, CausalKernel.Down()).Forward,
        _ => new ShiftedUpsampling(layout, kind, Outputs, CausalKernel.DownRight()).Forward,
    };

    private static Tensor Input(string kind)
    {
        using var generator = new Generator(9, CPU);
        long channels = kind.StartsWith("upsampling", StringComparison.Ordinal) ? Outputs : Inputs;
        return randn([4, 8, 8, channels], generator: generator).Times(3).Plus(0.7);
    }

    private static Parameters Random(ParameterLayout layout)
    {
        var parameters = new Parameters(layout, zeros(layout.Length));
        using var generator = new Generator(8, CPU);
        Tensor v = parameters[Named(layout, ".v")];
        v.copy_(randn(v.shape, generator: generator).Times(0.05));
        return parameters;
    }

    private static Slot Named(ParameterLayout layout, string end) =>
        layout.Slots.Single(slot => slot.Name.EndsWith(end, StringComparison.Ordinal));
}
