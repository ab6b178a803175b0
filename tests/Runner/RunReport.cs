namespace PixelCnnCluster.Runner;

/// <summary>How a test program ended.</summary>
public sealed record RunReport(PlannedRun Run, TimeSpan Time, IReadOnlyList<EndedTest> Tests)
{
    public override string ToString() => $"{Summary.Seconds(Time)}  {Run.Name}: {Summary.Counts([.. Tests])}";
}
