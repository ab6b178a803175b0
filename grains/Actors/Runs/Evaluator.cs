using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>
/// Evaluates the Polyak average on the test images, at the end of each epoch. A score that is in the history is not made again.
/// </summary>
internal sealed class Evaluator(RunContext run) : IBetweenSteps
{
    /// <summary>Test batches that a worker evaluates before it is asked again.</summary>
    private const int BatchesAtOnce = 16;

    /// <summary>Told of each new score.</summary>
    public Action<Generation, Evaluated> Scored { get; set; } = (_, _) => { };

    /// <summary>The newest test score.</summary>
    public Evaluated? Score { get; private set; } = run.History.Last<Evaluated>();

    /// <summary>The test score of a step in bits/dim; null if it was not evaluated, and for energy distance.</summary>
    public double? BitsPerDimAt(long step) => Score?.Step == step ? Score.TestBitsPerDim : null;

    public bool IsDue(DataOrder order, long step) => order.IsEndOfEpoch(step);

    public Task RunAsync(Generation generation, long step) => EvaluateAsync(generation, step, () => generation.IsEnding);

    /// <summary>
    /// Test batches are shared out like shards and their losses summed in order, so that the score does not depend on the workers. Workers
    /// are asked for a few at a time, because a run that is told to stop leaves the evaluation out.
    /// </summary>
    /// <returns>False if it was left out.</returns>
    public async Task<bool> EvaluateAsync(Generation generation, long step, Func<bool> isLeftOut)
    {
        if (Score?.Step == step)
            return true;
        long begun = run.Time.GetTimestamp();
        JoinResponse facts = generation.Facts;
        int batches = (facts.TestImages + run.Spec.Optimiser.BatchSize - 1) / run.Spec.Optimiser.BatchSize,
            atOnce = BatchesAtOnce * generation.Workers.Count;
        double total = 0;
        for (int first = 0; first < batches; first += atOnce)
        {
            if (isLeftOut())
                return false;
            int from = first;
            EvaluateResponse[] responses = await generation.ShareAsync(
                Math.Min(atOnce, batches - first),
                (worker, share) => worker.EvaluateAsync(new(run.Name, generation.Id, step, from + share.First, from + share.End)));
            foreach (double loss in responses.SelectMany(response => response.BatchLosses))
                total += loss;
        }

        double perImage = total / facts.TestImages;
        Score = new(
            step, generation.Order.EpochsAfter(step), BitsPerDim(facts, perImage), perImage, facts.TestImages,
            run.Time.GetElapsedTime(begun).TotalSeconds);
        run.History.Add(Score);
        Scored(generation, Score);
        return true;
    }

    /// <summary>Loss in bits/dim; null for energy distance, which has none.</summary>
    public double? BitsPerDim(JoinResponse facts, double lossPerImage) => run.Spec.Model.Objective == Objective.EnergyDistance
        ? null
        : lossPerImage / (Math.Log(2) * facts.Channels * facts.Size * facts.Size);
}
