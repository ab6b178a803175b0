using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Arguments;

/// <summary>What <c>train</c> was asked to do: a specification whose paths are absolute, and what concerns this machine only.</summary>
public sealed record TrainRequest(RunSpec Spec, int Threads, bool Json)
{
    /// <summary>Name of the run: that of its folder.</summary>
    public string Run => Path.GetFileName(Path.TrimEndingDirectorySeparator(Spec.SaveDir));

    public string LogDir => Path.Combine(Spec.SaveDir, "logs");
}
