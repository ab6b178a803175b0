using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Objectives;
using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Model;

/// <summary>The network's size, and what its options leave alone.</summary>
public sealed class NetworkTests
{
    [Fact]
    public void A_non_local_block_added_to_a_trained_network_is_an_identity()
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable none = no_grad();
        using var trained = new TinyNetwork(TinyNetwork.Shape with { Channels = 3 });
        var network = new PixelCnn(trained.Network.Shape with { NonLocal = true });
        using var parameters = new Parameters(network.Layout, zeros(network.Layout.Length));
        network.SampleParameters(parameters, 9);
        Tensor images = trained.Images(2);
        network.Forward(new ForwardContext(parameters) { Initialising = true }, images);
        foreach (Slot slot in trained.Network.Layout.Slots)
            parameters[network.Layout.Slots.Single(other => other.Name == slot.Name)].copy_(trained.Parameters[slot]);
        Assert.Equal(trained.Forward(images).Floats(), network.Forward(new ForwardContext(parameters), images).Floats());
    }

    /// <summary>A recorded pass has no seed of its own, but keys in the device's memory.</summary>
    [Fact]
    public void A_pass_drops_by_given_keys_what_it_drops_by_the_seed_that_they_are_of()
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable none = no_grad();
        using var network = new TinyNetwork(TinyNetwork.Shape with { Dropout = 0.5, Blocks = 2 });
        Tensor images = network.Images(2);
        float[] Forward(ulong seed, Tensor? keys) =>
            network.Network.Forward(new ForwardContext(network.Parameters) { Dropout = true, Seed = seed, MaskKeys = keys }, images)
                .Floats();
        Tensor Keys(ulong seed, int count) => ForwardContext.MaskKeysOf(seed, count);
        int masks = network.Network.Masks;
        Assert.Equal(Forward(5, null), Forward(0, Keys(5, masks)));
        Assert.NotEqual(Forward(5, null), Forward(5, Keys(6, masks)));
        Assert.ThrowsAny<Exception>(() => Forward(0, Keys(5, masks - 1)));
    }

    /// <summary>A recording would repeat its first noise for good.</summary>
    [Theory]
    [InlineData(Nonlinearity.Relu, false)]
    [InlineData(Nonlinearity.ConcatElu, true)]
    public void A_pass_with_keys_samples_nothing_else(Nonlinearity nonlinearity, bool energyDistance)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable none = no_grad();
        using var network = new TinyNetwork(
            TinyNetwork.Shape with { Dropout = 0.5, Nonlinearity = nonlinearity, EnergyDistance = energyDistance });
        var context = new ForwardContext(network.Parameters)
        {
            Dropout = true,
            MaskKeys = ForwardContext.MaskKeysOf(5, network.Network.Masks)
        };
        Assert.Throws<InvalidOperationException>(() => network.Network.Forward(context, network.Images(1)));
    }

    /// <summary>The sampler takes them one by one, and rows above do without those below.</summary>
    [Theory]
    [InlineData(8)]
    [InlineData(28)]
    [InlineData(32)]
    [InlineData(64)]
    public void Planes_beside_an_image_are_ones_and_the_positions_bit_for_bit(int size)
    {
        const int Height = 8;
        using DisposeScope scope = NewDisposeScope();
        var network = new PixelCnn(TinyNetwork.Shape with { Size = size, CoordinateChannels = true });
        IEnumerable<float> expected = from image in Enumerable.Range(0, 2)
                                      from row in Enumerable.Range(0, Height)
                                      from column in Enumerable.Range(0, size)
                                      from value in new[] { image, 1, PixelCnn.Coordinate(column, size), PixelCnn.Coordinate(row, size) }
                                      select value;
        Tensor images = stack([zeros(1, Height, size), ones(1, Height, size)]);
        Assert.Equal(expected, network.WithPlanes(images).Floats());
    }

    /// <summary>Rounding inside moves the output a little; the output itself has more digits than bfloat16.</summary>
    [Theory]
    [InlineData(Nonlinearity.ConcatElu)]
    [InlineData(Nonlinearity.Elu)]
    public void Bf16_is_near_float32_and_its_output_is_not_rounded(Nonlinearity nonlinearity)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable none = no_grad();
        using var network = new TinyNetwork(
            TinyNetwork.Shape with { Channels = 3, Filters = 8, NonLocal = true, CoordinateChannels = true, Nonlinearity = nonlinearity });
        Tensor images = network.Images(2);
        Tensor full = network.Forward(images),
            half = network.Network.Forward(new ForwardContext(network.Parameters) { Precision = Precision.Bf16 }, images);
        Assert.Equal(ScalarType.Float32, half.dtype);
        Assert.NotEqual(half.Floats(), half.to_type(ScalarType.BFloat16).to_type(ScalarType.Float32).Floats());
        double difference = ((half - full).norm() / full.norm()).Value<float>();
        Assert.InRange(difference, 1e-4, 0.03);
    }

    [Fact]
    public void Forward_operations_are_those_counted_by_hand()
    {
        // Weights of one layer by height x width x inputs x outputs; 4 filters, which concat_elu makes 8; 2 planes come in.
        const long Inputs = (2 * 3 * 2 * 4) + (1 * 3 * 2 * 4) + (2 * 1 * 2 * 4);
        const long UpU = (2 * 3 * 8 * 4) + (2 * 3 * 8 * 8), UpUl = (2 * 2 * 8 * 4) + (2 * 2 * 8 * 8) + (8 * 4);
        const long DownU = UpU + (8 * 4), DownUl = (2 * 2 * 8 * 4) + (2 * 2 * 8 * 8) + (16 * 4);
        const long Resize = (2 * 3 * 4 * 4) + (2 * 2 * 4 * 4);
        const long Output = 4 * 6;
        const long Full = 64, Half = 16, Quarter = 4; // positions
        long expected = 2 * (
            (Full * (Inputs + UpU + UpUl + (2 * (DownU + DownUl)) + Output))
            + (Half * (Resize + UpU + UpUl + (2 * (DownU + DownUl)) + Resize))
            + (Quarter * (Resize + UpU + UpUl + DownU + DownUl + Resize)));
        Assert.Equal(expected, new PixelCnn(TinyNetwork.Shape).ForwardOperations);
    }

    [Fact]
    public void The_published_model_has_its_published_size()
    {
        var network = new PixelCnn(NetworkShape.From(Presets.Cifar, channels: 3, size: 32, classes: 10));
        Assert.InRange(network.Layout.Count, 53_500_000, 53_900_000);
        Assert.Equal(100, network.Shape.Logits);
    }

    [Fact]
    public void Parameters_sampled_from_one_seed_are_the_same()
    {
        using DisposeScope scope = NewDisposeScope();
        var network = new PixelCnn(TinyNetwork.Shape with { Classes = 2 });
        float[] Sampled(ulong seed)
        {
            using var parameters = new Parameters(network.Layout, zeros(network.Layout.Length));
            network.SampleParameters(parameters, seed);
            return parameters.Values.Floats();
        }

        Assert.Equal(Sampled(1), Sampled(1));
        Assert.NotEqual(Sampled(1), Sampled(2));
        float[] drawn = [.. Sampled(3).Where(value => value != 0)];
        Assert.Equal(0.05, Math.Sqrt(drawn.Average(value => value * value)), 0.003);
    }

    [Fact]
    public void Gradients_of_the_whole_network_agree_with_differences()
    {
        using DisposeScope scope = NewDisposeScope();
        using var tiny = new TinyNetwork(TinyNetwork.Shape with { Channels = 3, NonLocal = true, Classes = 2, CoordinateChannels = true });
        Tensor images = tiny.Images(1), labels = tensor(new long[] { 1 }), gradient = zeros(tiny.Network.Layout.Length);
        using var leaves = new Parameters(tiny.Network.Layout, tiny.Parameters.Values, gradient);
        Loss(leaves).backward();
        // Along the gradient the loss rises by its length.
        double norm = gradient.norm().Value<float>(), step = 1e-2 / norm;
        float[] sides = [.. new[] { step, -step }.Select(by =>
        {
            using var moved = new Parameters(tiny.Network.Layout, tiny.Parameters.Values.Plus(gradient.Times(by / norm)));
            return Loss(moved).Value<float>();
        })];
        Assert.Equal(norm, (sides[0] - sides[1]) / (2 * step), 0.02 * norm);

        Tensor Loss(Parameters parameters) =>
            Losses.Sum(Objective.Likelihood, tiny.Network.Forward(new ForwardContext(parameters) { Labels = labels }, images), images, 0);
    }
}
