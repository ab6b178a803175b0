using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>
/// Which workers may train a run together: those that round alike and have the same images. Otherwise a step would not be the same whoever
/// did it. A run keeps to what it began or was resumed with.
/// </summary>
internal sealed class WorkerAdmission(RunContext run, WorkerPool pool)
{
    /// <summary>How the workers round that train the run; null before the first.</summary>
    public string? Arithmetic { get; private set; } = run.Lease.Record.Arithmetic;

    /// <summary>What the run's images are; null before the first worker has told it.</summary>
    public string? Data { get; private set; } = run.Lease.Record.Data;

    private bool IsTraining => run.Lease.Record.State == RunState.Training;

    /// <returns>The answers of those who may take part. The others are unfit from now on.</returns>
    public PrepareResponse[] Admit(PrepareResponse[] responses, long step) => WithSameData(WithSameArithmetic(responses, step), step);

    private PrepareResponse[] WithSameArithmetic(PrepareResponse[] responses, long step)
    {
        if (run.Spec.Compute.MixedWorkers || responses.Length == 0)
            return responses;
        string most = MostFrequent(responses, response => response.Arithmetic);
        if (!IsTraining && Arithmetic is not null && Arithmetic != most)
        {
            run.History.Add(new FaultNoticed(
                step, null,
                "The workers round differently from those that have trained the run so far; from here on it has the bits of their kind."));
        }

        if (!IsTraining || Arithmetic is null)
            Arithmetic = most;
        return LeaveOut(responses, response => response.Arithmetic == Arithmetic, response => new(
            $"{response.Worker} rounds differently from the run's other workers: its processor, card or libtorch is of another kind. " +
            $"Train on one kind, or give --mixed-workers, and the run's bits depend on who did what."));
    }

    private PrepareResponse[] WithSameData(PrepareResponse[] responses, long step)
    {
        if (responses.Length == 0)
            return responses;
        string most = MostFrequent(responses, response => response.Data);
        if (!IsTraining && run.Spec.Data.AcceptDataChange && Data is not null && Data != most)
        {
            run.History.Add(new FaultNoticed(step, null, $"The data set has changed from {Data} to {most}; the run goes on with it."));
            Data = most;
        }

        Data ??= most;
        return LeaveOut(responses, response => response.Data == Data, response => new(
            $"{response.Worker} has other images than the run in --data-dir {run.Spec.Data.DataDir}: {response.Data} in place of {Data}. " +
            $"Give every silo the same images, or, if they were changed on purpose, train on with --load-params " +
            $"{run.Spec.Output.SaveDir} and --accept-data-change."));
    }

    private PrepareResponse[] LeaveOut(
        PrepareResponse[] responses, Func<PrepareResponse, bool> isAdmitted, Func<PrepareResponse, UserErrorException> mistake)
    {
        foreach (PrepareResponse other in responses.Where(response => !isAdmitted(response)))
            pool.DeclareUnfit(other.Worker, mistake(other));
        return [.. responses.Where(isAdmitted)];
    }

    private static string MostFrequent(PrepareResponse[] responses, Func<PrepareResponse, string> of) =>
        responses.CountBy(of).MaxBy(pair => pair.Value).Key;
}
