using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Pictures;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.History;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>
/// What a run has its workers do between steps: score, save and draw. A score or a picture that is in the history is not made again.
/// </summary>
internal sealed class Upkeep(string run, RunSpec spec, RunHistory history, RunLease lease, TimeProvider time)
{
    /// <summary>Test batches that a worker scores before it is asked again.</summary>
    private const int BatchesAtOnce = 16;

    private static readonly TimeSpan SaveRetryDelay = TimeSpan.FromSeconds(2), HastePeriod = TimeSpan.FromSeconds(1);

    private Task _writing = Task.CompletedTask;
    private TimeSpan _longestWrite;
    private int _failedWrites;
    private CheckpointSaved? _saved;

    /// <summary>The newest test score.</summary>
    public Evaluated? Score { get; private set; } = history.Last<Evaluated>();

    /// <summary>The write in progress and the last one, on a disk as slow as it has been.</summary>
    private TimeSpan LastWriteTimeout => _longestWrite * 3 > Timeouts.LastWrite ? _longestWrite * 3 : Timeouts.LastWrite;

    /// <summary>Whether something is due when so many steps are committed.</summary>
    public static bool IsDueAfter(DataOrder order, long step) => order.WholeEpochsAfter(step) > order.WholeEpochsAfter(step - 1);

    /// <summary>Does what is due when so many steps are committed.</summary>
    /// <param name="inHaste">Whether the generation is to end: what is due is left to the next, or left out if the run stops.</param>
    public async Task AfterStepAsync(Generation generation, JoinResponse facts, DataOrder order, long step, Func<bool> inHaste)
    {
        if (!IsDueAfter(order, step))
            return;
        if (Score?.Step != step)
            _ = await EvaluateAsync(generation, facts, order, step, inHaste);
        if (order.WholeEpochsAfter(step) / spec.SaveInterval > order.WholeEpochsAfter(step - 1) / spec.SaveInterval && !inHaste())
        {
            await SaveAsync(generation, step, inHaste);
            await DrawAsync(generation, facts, step);
        }
    }

    /// <summary>Scores, saves and draws for the last time, and compares the workers' states.</summary>
    public async Task<CheckpointSaved> FinishAsync(Generation generation, JoinResponse facts, DataOrder order, long step, bool inHaste)
    {
        if (!inHaste && Score?.Step != step && !await EvaluateAsync(generation, facts, order, step, () => !generation.IsComplete))
            throw new RegroupException(GenerationCause.WorkerLeft, "a worker left while the run was scored for the last time");
        CheckpointSaved last = await SaveWholeAsync(generation, step, inHaste ? LastWriteTimeout : Timeouts.Write);
        if (!inHaste)
            await DrawAsync(generation, facts, step);
        string[] hashes = await generation.AskAllAsync((_, worker) => worker.HashAsync(new(run, generation.Id, step)));
        return hashes.All(hash => hash == last.StateHash)
            ? last
            : throw new InvalidOperationException(
                $"The workers' states differ after step {step}: {string.Join(", ", hashes)}; the checkpoint has {last.StateHash}.");
    }

    /// <summary>Saves, and again when that fails, until the checkpoint is whole.</summary>
    /// <exception cref="IOException">It could not be written in time.</exception>
    public async Task<CheckpointSaved> SaveWholeAsync(Generation generation, long step, TimeSpan timeout)
    {
        bool isOver = false;
        try
        {
            return await TryAsync().WaitAsync(timeout, time);
        }
        catch (TimeoutException late)
        {
            isOver = true;
            throw new IOException(
                $"The checkpoint of step {step} could not be written to {spec.SaveDir} within {timeout.TotalSeconds:F0} s.", late);
        }

        async Task<CheckpointSaved> TryAsync()
        {
            while (true)
            {
                await SaveAsync(generation, step, () => isOver);
                if (await WrittenAsync(step) is { } written)
                    return written;
                if (isOver)
                    throw new OperationCanceledException($"Nobody waits for the checkpoint of step {step} any more.");
                await Task.Delay(SaveRetryDelay, time);
            }
        }
    }

    /// <summary>
    /// One worker copies the state, which all have alike, and writes it while the run goes on. The checkpoint before is awaited first.
    /// </summary>
    /// <param name="inHaste">Whether this one need not be written any more, where the one before takes long.</param>
    public async Task SaveAsync(Generation generation, long step, Func<bool> inHaste)
    {
        while (!_writing.IsCompleted)
        {
            if (inHaste())
                return;
            await Task.WhenAny(_writing, Task.Delay(HastePeriod, time));
        }

        await _writing;
        if (_saved?.Step == step)
            return;
        var request = new CheckpointRequest(run, generation.Id, step, Score?.Step == step ? Score.TestBitsPerDim : null);
        string writer = generation.Workers[_failedWrites % generation.Workers.Count];
        await generation.AskAsync(writer, async worker =>
        {
            await worker.SnapshotAsync(request);
            return true;
        });
        long begun = time.GetTimestamp();
        _writing = WriteAsync();

        async Task WriteAsync()
        {
            try
            {
                CheckpointResponse response = await generation.AskAsync(
                    writer, worker => worker.WriteSnapshotAsync(request), Timeouts.Write, outlives: true);
                TimeSpan took = time.GetElapsedTime(begun);
                _longestWrite = took > _longestWrite ? took : _longestWrite;
                _saved = new(step, response.Path, response.Bytes, response.StateHash);
                history.Add(_saved);
                // A store that is away must not make the file count as missing.
                _ = lease.WriteAsync(record => record with { SavedStep = Math.Max(step, record.SavedStep ?? 0) });
            }
            catch (WorkerFaultException fault)
            {
                // All have the same state, and another's folder may answer.
                _failedWrites++;
                history.Add(new FaultNoticed(step, fault.Worker, $"The checkpoint of step {step} was not written: {fault.Message}"));
            }
        }
    }

    /// <summary>
    /// The checkpoint of a step for which <see cref="SaveAsync"/> was called, once it is written; null if it could not be.
    /// </summary>
    public async Task<CheckpointSaved?> WrittenAsync(long step)
    {
        await _writing;
        return _saved?.Step == step ? _saved : null;
    }

    /// <summary>Loss in bits/dim; null for energy distance, which has none.</summary>
    public double? BitsPerDim(JoinResponse facts, double lossPerImage) => spec.Objective == Objective.EnergyDistance
        ? null
        : lossPerImage / (Math.Log(2) * facts.Channels * facts.Size * facts.Size);

    /// <summary>
    /// Test batches are shared out like shards and their losses summed in order, so that the score does not depend on the workers. They are
    /// asked for a few at a time, because a run that is told to stop leaves the score out.
    /// </summary>
    /// <returns>False if it was left out.</returns>
    private async Task<bool> EvaluateAsync(Generation generation, JoinResponse facts, DataOrder order, long step, Func<bool> inHaste)
    {
        long begun = time.GetTimestamp();
        int batches = (facts.TestImages + spec.BatchSize - 1) / spec.BatchSize, atOnce = BatchesAtOnce * generation.Workers.Count;
        double total = 0;
        for (int first = 0; first < batches; first += atOnce)
        {
            if (inHaste())
                return false;
            int from = first;
            EvaluateResponse[] responses = await generation.ShareAsync(
                Math.Min(atOnce, batches - first),
                (worker, share) => worker.EvaluateAsync(new(run, generation.Id, step, from + share.First, from + share.End)));
            foreach (double loss in responses.SelectMany(response => response.BatchLosses))
                total += loss;
        }

        double perImage = total / facts.TestImages;
        Score = new(
            step, order.EpochsAfter(step), BitsPerDim(facts, perImage), perImage, facts.TestImages,
            time.GetElapsedTime(begun).TotalSeconds);
        history.Add(Score);
        return true;
    }

    private async Task DrawAsync(Generation generation, JoinResponse facts, long step)
    {
        if (spec.Samples == 0 || history.Last<SamplesWritten>()?.Step == step)
            return;
        SampleResponse[] responses = await generation.ShareAsync(
            spec.Samples, (worker, share) => worker.SampleAsync(new(run, generation.Id, step, share.First, share.End)));
        byte[] pixels = [.. responses.SelectMany(response => response.Pixels)];
        string path = Path.Combine(spec.SaveDir, $"samples-{step:D9}.png");
        try
        {
            var drawn = new SamplesWritten(step, path, spec.Samples, facts.Channels, facts.Size, pixels);
            await Task.Run(() =>
            {
                RunFolder.Require(spec.SaveDir);
                PictureGrid.Write(path, drawn.Images());
            });
            history.Add(drawn);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            history.Add(new FaultNoticed(step, null, $"The picture {path} was not written: {fault.Message}"));
        }
    }
}
