using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.History;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>Saves the run's state: one worker copies it, which all have alike, and writes it while training goes on.</summary>
internal sealed class CheckpointWriter(
    string run, RunSpec spec, RunHistory history, RunLease lease, Evaluator evaluator, TimeProvider time) : IBetweenSteps
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(2), PollInterval = TimeSpan.FromSeconds(1);

    private Task _writing = Task.CompletedTask;
    private TimeSpan _longestWrite;
    private int _failedWrites;
    private readonly HashSet<long> _diverged = [];
    private CheckpointSaved? _saved;
    private string? _writer;
    private long _newestAt = time.GetTimestamp();

    /// <summary>
    /// For the last write of a run that is told to stop, on a disk as slow as it has been; the write in progress ends first.
    /// </summary>
    public TimeSpan LastWriteTimeout => _longestWrite * 3 > Timeouts.LastWrite ? _longestWrite * 3 : Timeouts.LastWrite;

    /// <summary>A checkpoint is due at the end of every <see cref="RunSpec.SaveInterval"/>th epoch.</summary>
    public static bool IsRegular(RunSpec spec, DataOrder order, long step) =>
        order.WholeEpochsAfter(step) / spec.SaveInterval > order.WholeEpochsAfter(step - 1) / spec.SaveInterval;

    /// <summary>So long ago that a checkpoint is due, whatever the epochs. One that is being written is not disturbed.</summary>
    public bool IsLate => _writing.IsCompleted && time.GetElapsedTime(_newestAt).TotalMinutes >= spec.SaveMinutes;

    public bool IsDue(DataOrder order, long step) => IsRegular(spec, order, step) || step % spec.SaveSteps == 0;

    public Task RunAsync(Generation generation, long step) =>
        generation.IsEnding ? Task.CompletedTask : SaveAsync(generation, step, () => generation.IsEnding);

    /// <summary>Begins to save. The checkpoint before is awaited first.</summary>
    /// <param name="isLeftOut">Whether this one need not be written any more, where the one before takes long.</param>
    public async Task SaveAsync(Generation generation, long step, Func<bool> isLeftOut)
    {
        while (!_writing.IsCompleted)
        {
            if (isLeftOut())
                return;
            await Task.WhenAny(_writing, Task.Delay(PollInterval, time));
        }

        await _writing;
        if (_saved?.Step == step)
            return;
        var request = new CheckpointRequest(run, generation.Id, step, evaluator.BitsPerDimAt(step));
        string writer = generation.Workers[_failedWrites % generation.Workers.Count];
        await generation.AskAsync(writer, async worker =>
        {
            await worker.SnapshotAsync(request);
            return true;
        });
        _newestAt = time.GetTimestamp();
        _writing = WriteAsync(generation, writer, request);
    }

    /// <summary>Adds a score to the checkpoint of its step, if there is one, as soon as that is written.</summary>
    public void AddScore(Generation generation, Evaluated score)
    {
        if (score.TestBitsPerDim is { } bitsPerDim)
            _writing = AddScoreAsync(_writing, generation, score.Step, bitsPerDim);
    }

    /// <summary>
    /// The checkpoint with the most steps from which one can go on: one whose score is finite, as far as it has one. Null if there is none.
    /// </summary>
    public CheckpointSaved? NewestGood()
    {
        HashSet<long> diverged =
        [
            .. history.All<Evaluated>().Where(score => score.TestBitsPerDim is { } bits && !double.IsFinite(bits))
                .Select(score => score.Step),
            .. _diverged,
        ];
        return history.All<CheckpointSaved>().Where(saved => !diverged.Contains(saved.Step)).MaxBy(saved => saved.Step);
    }

    /// <summary>
    /// The checkpoint of a step for which <see cref="SaveAsync"/> was called, once it is written; null if it could not be.
    /// </summary>
    public async Task<CheckpointSaved?> WrittenAsync(long step)
    {
        await _writing;
        return _saved?.Step == step ? _saved : null;
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
                await Task.Delay(RetryDelay, time);
            }
        }
    }

    private async Task WriteAsync(Generation generation, string writer, CheckpointRequest request)
    {
        long begun = time.GetTimestamp();
        try
        {
            CheckpointResponse written = await generation.AskAsync(
                writer, worker => worker.WriteSnapshotAsync(request), Timeouts.Write, outlives: true);
            TimeSpan took = time.GetElapsedTime(begun);
            _longestWrite = took > _longestWrite ? took : _longestWrite;
            (_saved, _writer) = (new(request.Step, written.Path, written.Bytes, written.StateHash), writer);
            history.Add(_saved);
            if (written.IsDiverged)
                _diverged.Add(request.Step);
            else
                _ = lease.WriteAsync(record => record with { SavedStep = Math.Max(request.Step, record.SavedStep ?? 0) });
        }
        catch (WorkerFaultException fault)
        {
            // All have the same state, and another's folder may answer.
            _failedWrites++;
            history.Add(
                new FaultNoticed(request.Step, fault.Worker, $"The checkpoint of step {request.Step} was not written: {fault.Message}"));
        }
    }

    private async Task AddScoreAsync(Task written, Generation generation, long step, double bitsPerDim)
    {
        await written;
        if (_saved is not { } saved || saved.Step != step)
            return;
        try
        {
            await generation.AskAsync(
                _writer!,
                async worker =>
                {
                    await worker.AddScoreAsync(new(run, generation.Id, step, saved.Path, bitsPerDim));
                    return true;
                },
                Timeouts.Write,
                outlives: true);
        }
        catch (WorkerFaultException fault)
        {
            history.Add(new FaultNoticed(step, fault.Worker, $"The checkpoint of step {step} has no score: {fault.Message}"));
        }

        // The run would not go on from this one, so nobody waits for it.
        if (!double.IsFinite(bitsPerDim))
            _ = lease.WriteAsync(record => record with { SavedStep = NewestGood()?.Step });
    }
}
