using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Model;

/// <summary>The topology stands in one place: what is added there, every interpreter has.</summary>
public sealed class NetworkTopologyTests
{
    private const string Added = "added.ul.0";

    [Fact]
    public void A_block_that_is_added_has_a_name_and_parameters()
    {
        PixelCnn plain = new(SamplingNetwork.Plain), wider = new(SamplingNetwork.Plain, new WiderTopology());
        Assert.Equal(
            [$"{Added}.conv_in", $"{Added}.skip", $"{Added}.conv_out"],
            Names(wider).Except(Names(plain)));
        Assert.Equal(plain.DownPassStart, wider.DownPassStart);
        Assert.Equal(plain.Masks + 1, wider.Masks);

        static IEnumerable<string> Names(PixelCnn network) =>
            network.Layout.Slots.Select(slot => slot.Name[..slot.Name.LastIndexOf('.')]).Distinct();
    }

    [Fact]
    public void A_block_that_is_added_is_trained_and_sampled_alike()
    {
        using var model = new SamplingNetwork(SamplingNetwork.Plain, new WiderTopology());
        Tensor gradient = zeros(model.Network.Layout.Length);
        using DisposeScope scope = NewDisposeScope();
        using var leaves = new Parameters(model.Network.Layout, model.Parameters.Values, gradient);
        Tensor images = zeros(1, 1, SamplingNetwork.Plain.Size, SamplingNetwork.Plain.Size);
        model.Network.Forward(new ForwardContext(leaves), images).sum().backward();
        Slot weights = model.Network.Layers.Get<GatedBlock>(Added).Second.Weights.Direction;
        Assert.NotEqual(0, gradient.narrow(0, weights.Offset, weights.Length).abs().sum().Value<float>());

        CachedNetworkTests.AssertAgrees(model, kernels: null);
    }

    [Fact]
    public void A_block_that_is_added_is_counted()
    {
        // Multiply-adds for each position: 2x2 convolutions of 12 activated channels, and a shortcut from 2 x 6 activated channels.
        const long Weights = (2 * 2 * 12 * 6) + (2 * 2 * 12 * 12) + (12 * 6);
        PixelCnn plain = new(SamplingNetwork.Plain), wider = new(SamplingNetwork.Plain, new WiderTopology());
        Assert.Equal(2 * 64 * Weights, wider.ForwardOperations - plain.ForwardOperations);
        Assert.Equal(64, wider.BlockPositions - plain.BlockPositions);
    }

    /// <summary>One block of the horizontal stream more, at full size, with its own input as shortcut.</summary>
    private sealed class WiderTopology : INetworkTopology
    {
        private readonly PixelCnnTopology _plain = new();

        public TValue Features<TValue>(NetworkShape shape, INetworkOperations<TValue> operations)
            where TValue : class
        {
            TValue features = _plain.Features(shape, operations);
            return operations.Block(Added, NetworkStream.Horizontal, features, across: features);
        }

        public TValue Head<TValue>(NetworkShape shape, INetworkOperations<TValue> operations, TValue features)
            where TValue : class =>
            _plain.Head(shape, operations, features);
    }
}
