using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors;

/// <summary>
/// Where a generation begins, decided from what its workers hold. A gradient is a function of the run's specification and the
/// step, so a step is committed if any worker has applied it or holds its whole gradient: whoever lacks it copies the state.
/// </summary>
/// <param name="Step">Committed steps; null when no worker has a state, or one older than the newest checkpoint.</param>
/// <param name="Maker">The worker that has the state, or loads or makes it.</param>
internal sealed record StatePlan(long? Step, string Maker)
{
    public static StatePlan For(IReadOnlyList<Holding> holdings)
    {
        Holding furthest = holdings.MaxBy(holding => Reach(holding) ?? -1)!;
        // Should the checkpoint be damaged, what the worker holds itself is the next best.
        Holding saved = holdings.MaxBy(holding => (holding.Checkpoint ?? -1, Reach(holding) ?? -1))!;
        return Reach(furthest) is { } step && step >= (saved.Checkpoint ?? 0) ? new(step, furthest.Worker) : new(null, saved.Worker);
    }

    /// <summary>Whether a worker gets to the beginning without copying the state.</summary>
    public bool Reaches(Holding holding) => Step is not null && Reach(holding) == Step;

    private static long? Reach(Holding holding) => holding.Step + (holding.Gradient ? 1 : 0);
}
