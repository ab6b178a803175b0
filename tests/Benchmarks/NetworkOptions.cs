using System.CommandLine;

namespace PixelCnnCluster.Benchmarks;

/// <summary>The network that a benchmark measures.</summary>
internal sealed class NetworkOptions
{
    public Option<int> Channels { get; } = new("--channels") { DefaultValueFactory = _ => 1, Description = "1 or 3." };

    public Option<int> Size { get; } = new("--size") { DefaultValueFactory = _ => 28, Description = "Side in pixels." };

    public Option<int> Filters { get; } = new("--filters") { DefaultValueFactory = _ => 32, Description = "Filters of every stage." };

    public Option<int> Resnets { get; } = new("--resnets") { DefaultValueFactory = _ => 1, Description = "Residual blocks per stage." };

    public Option<int> Mixtures { get; } = new("--mixtures") { DefaultValueFactory = _ => 10, Description = "Logistic components." };

    public void AddTo(Command command)
    {
        foreach (Option option in new[] { Channels, Size, Filters, Resnets, Mixtures })
            command.Add(option);
    }
}
