using PixelCnnCluster.Client;
using PixelCnnCluster.Client.Arguments;

namespace PixelCnnCluster.Console.Tests.Arguments;

/// <summary>Reads flags of <c>train</c> at a fixed time on a machine with four cores.</summary>
internal static class Reading
{
    public static TrainRequest Good(params string[] flags)
    {
        (TrainRequest request, IReadOnlyList<string> mistakes) = Read(flags);
        Assert.Empty(mistakes);
        return request;
    }

    public static IReadOnlyList<string> Mistakes(params string[] flags) => Read(flags).Mistakes;

    /// <param name="cluster">Value of the environment variable.</param>
    public static (TrainRequest Request, IReadOnlyList<string> Mistakes) Read(string[] flags, string? cluster = null)
    {
        var reader = new TrainRequestReader(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero), cores: 4, cluster);
        TrainRequest request = reader.Read(Commands.Parse(["train", .. flags]));
        return (request, reader.Mistakes);
    }
}
