namespace PixelCnnCluster.Actors.Cluster;

/// <summary>How many workers a run wants, and which it has.</summary>
/// <param name="Wanted">The most it can use.</param>
/// <param name="Unfit">Workers that it does without, because their work for it failed.</param>
public sealed record RunDemand(string Run, int Wanted, IReadOnlyList<string> Workers, IReadOnlyList<string> Unfit);

/// <summary>Shares a cluster's workers out to its runs.</summary>
public static class WorkerAssignment
{
    /// <summary>
    /// Runs keep the workers they have. What is free goes first to runs that have none, the oldest before the others, as many as each
    /// wants; then to runs that have too few. What is left stands by.
    /// </summary>
    /// <param name="demands">The oldest run first.</param>
    public static IReadOnlyList<RunDemand> Share(IReadOnlyCollection<string> workers, IReadOnlyList<RunDemand> demands)
    {
        RunDemand[] shared = [.. demands.Select(
            demand => demand with { Workers = [.. demand.Workers.Where(workers.Contains).Except(demand.Unfit).Take(demand.Wanted)] })];
        List<string> free = [.. workers.Except(shared.SelectMany(demand => demand.Workers)).Order(StringComparer.Ordinal)];
        foreach (int i in Enumerable.Range(0, shared.Length).OrderBy(i => shared[i].Workers.Count > 0))
        {
            RunDemand demand = shared[i];
            string[] more = [.. free.Except(demand.Unfit).Take(demand.Wanted - demand.Workers.Count)];
            free.RemoveAll(more.Contains);
            shared[i] = demand with { Workers = [.. demand.Workers, .. more] };
        }

        return shared;
    }
}
