using System.Security.Authentication;

namespace PixelCnnCluster.Contracts;

/// <summary>What silos and consoles must agree on to meet.</summary>
public static class ClusterNames
{
    /// <summary>Orleans' service id of every cluster of this program.</summary>
    public const string ServiceId = "pixelcnn-cluster";

    /// <summary>Orleans' cluster id where none is given.</summary>
    public const string DefaultClusterId = "pixelcnn";

    /// <summary>Begins the names of silos that take part in jobs and not in training.</summary>
    public const string SamplerPrefix = "sampler/";

    private static readonly string[] RefusalWords = ["WRONGPASS", "NOAUTH", "AuthenticationFailure", "without any password configured"];

    /// <summary>Version of this program; consoles and silos of different versions do not understand each other.</summary>
    public static string Version { get; } = typeof(ClusterNames).Assembly.GetName().Version!.ToString(3);

    /// <summary>Redis key under which the silos of a cluster write their <see cref="Version"/>.</summary>
    public static string VersionKey(string clusterId) => $"{ServiceId}/{clusterId}/version";

    /// <summary>
    /// Whether Redis asks for another password, or for one at all: its words, for libraries wrap them in exceptions of several kinds. What
    /// TLS refuses is no password.
    /// </summary>
    public static bool IsRefusal(Exception? fault)
    {
        bool isRefusal = false;
        for (; fault is not null; fault = fault.InnerException)
        {
            if (fault is AuthenticationException)
                return false;
            isRefusal |= RefusalWords.Any(word => fault.Message.Contains(word, StringComparison.Ordinal));
        }

        return isRefusal;
    }
}

/// <summary>A run's name, which is the last part of its folder.</summary>
public static class RunName
{
    private const int Longest = 100;

    /// <summary>What is wrong with a name, as a sentence; null if nothing is.</summary>
    public static string? Mistake(string run) =>
        run.Length is 0 or > Longest || run is "." or ".." || !Printable.Is(run) || run.Contains('/', StringComparison.Ordinal)
        ? $"The run's name, the last part of --save-dir, has to have 1 to {Longest} characters, none of them / or a control character; " +
            $"name another folder."
        : null;
}
