namespace PixelCnnCluster.Benchmarks;

/// <summary>What is told of many measurements.</summary>
internal static class Figures
{
    public static double Median(this IEnumerable<double> values)
    {
        double[] ordered = [.. values.Order()];
        return (ordered[(ordered.Length - 1) / 2] + ordered[ordered.Length / 2]) / 2;
    }
}
