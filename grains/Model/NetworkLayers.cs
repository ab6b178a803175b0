using PixelCnnCluster.Model.Layers;

namespace PixelCnnCluster.Model;

/// <summary>
/// Interpreter that makes the network's layers and finds them by name. In the flat vector they lie in the order of
/// <see cref="Group"/>, and within a group in the order of evaluation, as checkpoints have them.
/// </summary>
internal sealed class NetworkLayers : INetworkOperations<NetworkLayers.ChannelCount>
{
    private readonly NetworkShape _shape;
    private readonly Dictionary<string, object> _layers = [];
    private readonly List<(Group Group, string Name, Func<object> Make)> _planned = [];
    private bool _inDownPass;

    public NetworkLayers(NetworkShape shape, INetworkTopology topology)
    {
        _shape = shape;
        topology.Head(shape, this, topology.Features(shape, this));
        foreach ((Group group, string name, Func<object> make) in _planned.OrderBy(layer => layer.Group))
        {
            _layers.Add(name, make());
            if (group < Group.Upsampling)
                DownPassStart = Layout.Length;
        }
    }

    /// <summary>The order of layers in the flat vector. Upsampling begins the down pass.</summary>
    private enum Group
    {
        First,
        UpBlock,
        Downsampling,
        Attention,
        Upsampling,
        DownBlock,
        Head,
    }

    public ParameterLayout Layout { get; } = new();

    /// <summary>Where the parameters of the down pass begin in the flat vector.</summary>
    public long DownPassStart { get; }

    public int Blocks => _layers.Values.OfType<GatedBlock>().Count();

    public T Get<T>(string name) => (T)_layers[name];

    public ChannelCount Image() => new(_shape.Channels + 1 + (_shape.CoordinateChannels ? 2 : 0));

    public ChannelCount RowsAbove(string name, ChannelCount image) =>
        Plan(Group.First, name, image, CausalKernel.Down());

    public ChannelCount RowsAboveAndPixelToTheLeft(string above, string left, ChannelCount image)
    {
        Plan(Group.First, above, image, CausalKernel.Down(1, 3));
        return Plan(Group.First, left, image, CausalKernel.DownRight(2, 1));
    }

    public ChannelCount Downsample(string name, NetworkStream stream, ChannelCount input) =>
        Plan(Group.Downsampling, name, input, stream.Kernel, stride: 2);

    public ChannelCount Upsample(string name, NetworkStream stream, ChannelCount input) =>
        Plan(Group.Upsampling, name, () => new ShiftedUpsampling(Layout, name, input.Count, stream.Kernel));

    public ChannelCount Block(
        string name, NetworkStream stream, ChannelCount input, ChannelCount? vertical = null, ChannelCount? across = null)
    {
        int shortcut = (vertical?.Count ?? 0) + (across?.Count ?? 0);
        return Plan(
            _inDownPass ? Group.DownBlock : Group.UpBlock, name, () => new GatedBlock(Layout, name, _shape, stream.Kernel, shortcut));
    }

    public ChannelCount Attention(string name, ChannelCount input) =>
        Plan(Group.Attention, name, () => new NonLocalBlock(Layout, name, input.Count));

    public ChannelCount BeginDownPass(ChannelCount horizontal)
    {
        _inDownPass = true;
        return horizontal;
    }

    public ChannelCount MixtureHead(string name, ChannelCount features) =>
        Plan(Group.Head, name, () => new Pointwise(Layout, name, features.Count, _shape.Logits));

    public ChannelCount EnergyHead(string name, ChannelCount features) =>
        Plan(Group.Head, name, () => new EnergyHead(Layout, name, features.Count, _shape.Channels));

    private ChannelCount Plan(Group group, string name, ChannelCount input, CausalKernel kernel, int stride = 1) =>
        Plan(group, name, () => new ShiftedConvolution(Layout, name, input.Count, _shape.Filters, kernel) { Stride = stride });

    private ChannelCount Plan(Group group, string name, Func<object> make)
    {
        _planned.Add((group, name, make));
        return new(_shape.Filters);
    }

    internal sealed record ChannelCount(int Count);
}
