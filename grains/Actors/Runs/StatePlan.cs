using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>
/// Where a generation begins, decided from what its workers hold. A gradient is a function of the run's specification and the
/// step, so a step is committed if any worker has applied it: whoever has not copies the state.
/// </summary>
/// <param name="Step">Committed steps; null when no worker has a state, or one older than the newest checkpoint.</param>
/// <param name="Maker">The worker that has the state, or loads or makes it.</param>
internal sealed record StatePlan(long? Step, string Maker)
{
    public static StatePlan For(IReadOnlyList<PrepareResponse> responses)
    {
        PrepareResponse furthest = responses.MaxBy(response => response.Step ?? -1)!;
        // If the checkpoint is damaged, the worker's own state is the next best.
        PrepareResponse saved = responses.MaxBy(response => (response.Checkpoint ?? -1, response.Step ?? -1))!;
        return furthest.Step is { } step && step >= (saved.Checkpoint ?? 0) ? new(step, furthest.Worker) : new(null, saved.Worker);
    }

    /// <summary>Whether a worker is where the generation begins, and need not copy the state.</summary>
    public bool Has(PrepareResponse response) => Step is not null && response.Step == Step;
}
