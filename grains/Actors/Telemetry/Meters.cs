using System.Diagnostics.Metrics;

namespace PixelCnnCluster.Actors.Telemetry;

/// <summary>What the silo's own figures have in common.</summary>
public static class Meters
{
    /// <summary>Under which the silo's own figures are found.</summary>
    public const string Name = "PixelCnnCluster";

    /// <summary>Seconds, from a small network's step to a large checkpoint.</summary>
    private static readonly double[] Bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250];

    internal static Histogram<double> Seconds(Meter meter, string name, string description) =>
        meter.CreateHistogram(name, "s", description, tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = Bounds });
}
