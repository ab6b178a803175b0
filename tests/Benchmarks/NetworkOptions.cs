using System.CommandLine;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Tensors;

namespace PixelCnnCluster.Benchmarks;

/// <summary>
/// The network that a benchmark measures, and what on. The defaults are a small network for digits, or the paper's for CIFAR-10.
/// </summary>
internal sealed class NetworkOptions(bool paper = false)
{
    public Option<int> Channels { get; } = new("--channels") { DefaultValueFactory = _ => paper ? 3 : 1, Description = "1 or 3." };

    public Option<int> Size { get; } = new("--size") { DefaultValueFactory = _ => paper ? 32 : 28, Description = "Side in pixels." };

    public Option<int> Filters { get; } = new("--filters")
    {
        DefaultValueFactory = _ => paper ? 160
        : 32,
        Description = "Filters of every stage."
    };

    public Option<int> Resnets { get; } = new("--resnets")
    {
        DefaultValueFactory = _ => paper ? 5
        : 1,
        Description = "Residual blocks per stage."
    };

    public Option<int> Mixtures { get; } = new("--mixtures") { DefaultValueFactory = _ => 10, Description = "Logistic components." };

    public Option<string> Device { get; } = new("--device") { Description = "cpu, cuda or cuda:N." };

    private string DefaultDevice => paper ? "cuda" : "cpu";

    public void AddTo(Command command)
    {
        Device.DefaultValueFactory = _ => DefaultDevice;
        foreach (Option option in new Option[] { Channels, Size, Filters, Resnets, Mixtures, Device })
            command.Add(option);
        command.Validators.Add(parsed =>
        {
            // Defaults are not there yet.
            string device = parsed.GetValue(Device) ?? DefaultDevice;
            if ((DeviceName.IsOne(device) ? TorchDevice.Missing(device) : "that is no device; give cpu, cuda or cuda:N") is { } reason)
                parsed.AddError($"--device is {device}, and {reason}.");
        });
    }

    /// <summary>Without dropout.</summary>
    public NetworkShape Shape(ParseResult parsed) => new()
    {
        Channels = parsed.GetValue(Channels),
        Size = parsed.GetValue(Size),
        Blocks = parsed.GetValue(Resnets),
        Filters = parsed.GetValue(Filters),
        Mixtures = parsed.GetValue(Mixtures),
    };
}
