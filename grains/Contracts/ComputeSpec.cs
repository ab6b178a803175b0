using System.Text.RegularExpressions;

namespace PixelCnnCluster.Contracts;

/// <summary>
/// What the network computes with while it trains. Parameters, moments, averages and sums of gradients are float32 in any case, and so are
/// scores and samples.
/// </summary>
public enum Precision
{
    /// <summary>float32, whose factors NVIDIA cards round to 10 bits before they multiply; on CPUs the same as float32.</summary>
    Tf32,

    Float32,

    /// <summary>Activations and weights are rounded to bfloat16; the likelihood and the weights' norms are float32.</summary>
    Bf16,
}

/// <summary>How gradients travel between workers.</summary>
public enum WireFormat
{
    Float32,

    /// <summary>
    /// Half the bytes: every sum of gradients is rounded to bfloat16, also one that is not sent, so the result does not depend on the
    /// workers.
    /// </summary>
    Bf16,
}

/// <summary>Who trains a run, and how they compute.</summary>
public sealed record ComputeSpec
{
    /// <summary>Workers that the run wants; it trains with fewer while there are not so many.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>Workers that round differently may train together: the parameters then depend on who did what.</summary>
    public bool MixedWorkers { get; init; }

    /// <summary>What the network computes with while it trains.</summary>
    public Precision Precision { get; init; } = Precision.Tf32;

    /// <summary>How gradients travel between workers.</summary>
    public WireFormat Wire { get; init; } = WireFormat.Float32;

    /// <summary>A worker takes the run on although it has less memory than the run is expected to need.</summary>
    public bool IgnoreMemory { get; init; }

    internal void Validate(SpecMistakes mistakes) => mistakes.Within(Workers, 1, 1024, "--workers");
}

/// <summary>Names of what a silo computes on: cpu, cuda or cuda:N, the card with that number.</summary>
public static partial class DeviceName
{
    public static bool IsOne(string text) => Pattern().IsMatch(text);

    [GeneratedRegex("^(cpu|cuda(:[0-9]{1,3})?)$")]
    private static partial Regex Pattern();
}
