namespace PixelCnnCluster.Actors;

/// <summary>How many workers a run wants, and which it has.</summary>
/// <param name="Wanted">The most it can use.</param>
/// <param name="Unfit">Workers that it does without, because their work for it failed.</param>
public sealed record RunDemand(string Run, int Wanted, IReadOnlyList<string> Workers, IReadOnlyList<string> Unfit);

/// <summary>Shares a cluster's workers out to its runs.</summary>
public static class WorkerAssignment
{
    /// <summary>
    /// Runs keep the workers they have. What is free goes first to runs that have none, the oldest before the others, as many as each wants; then to
    /// runs that have too few. What is left stands by.
    /// </summary>
    /// <param name="claims">The oldest run first.</param>
    public static IReadOnlyList<RunDemand> Share(IReadOnlyCollection<string> workers, IReadOnlyList<RunDemand> claims)
    {
        RunDemand[] shared = [.. claims.Select(claim => claim with { Workers = [.. claim.Workers.Where(workers.Contains).Except(claim.Unfit).Take(claim.Wanted)] })];
        List<string> free = [.. workers.Except(shared.SelectMany(claim => claim.Workers)).Order(StringComparer.Ordinal)];
        foreach (int i in Enumerable.Range(0, shared.Length).OrderBy(i => shared[i].Workers.Count > 0))
        {
            RunDemand claim = shared[i];
            string[] more = [.. free.Except(claim.Unfit).Take(claim.Wanted - claim.Workers.Count)];
            free.RemoveAll(more.Contains);
            shared[i] = claim with { Workers = [.. claim.Workers, .. more] };
        }

        return shared;
    }
}
