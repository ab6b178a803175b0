using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>Saves the run's state: one worker copies it, which all have alike, and writes it while training goes on.</summary>
internal sealed class CheckpointWriter(RunContext run, Evaluator evaluator) : IBetweenSteps
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(2), FailedWait = TimeSpan.FromSeconds(30),
        PollInterval = TimeSpan.FromSeconds(1), LeaveTimeout = TimeSpan.FromSeconds(5);

    private Task _writing = Task.CompletedTask;
    private TimeSpan _longestWrite;
    private int _failedWrites;
    private CheckpointSaved? _saved;
    private string? _writer;
    private bool _isClosed;

    /// <summary>A checkpoint is late when so much time has passed since then.</summary>
    private (long Since, TimeSpan Wait) _next = (
        run.Time.GetTimestamp(),
        run.Lease.Record.Step > (run.Lease.Record.SavedStep ?? 0) ? TimeSpan.Zero : TimeSpan.FromMinutes(run.Spec.Output.SaveMinutes));

    /// <summary>
    /// For the last write of a run that is told to stop, on a disk as slow as it has been; the write in progress ends first.
    /// </summary>
    public TimeSpan LastWriteTimeout => _longestWrite * 3 > run.Timeouts.LastWrite ? _longestWrite * 3 : run.Timeouts.LastWrite;

    /// <summary>A checkpoint is due at the end of every <see cref="OutputSpec.SaveInterval"/>th epoch.</summary>
    public static bool IsRegular(RunSpec spec, DataOrder order, long step) =>
        order.WholeEpochsAfter(step) / spec.Output.SaveInterval > order.WholeEpochsAfter(step - 1) / spec.Output.SaveInterval;

    /// <summary>So long ago that a checkpoint is due, whatever the epochs. One that is being written is not disturbed.</summary>
    public bool IsLate => _writing.IsCompleted && run.Time.GetElapsedTime(_next.Since) >= _next.Wait;

    public bool IsDue(DataOrder order, long step) => IsRegular(run.Spec, order, step) || step % run.Spec.Output.SaveSteps == 0;

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
            await Task.WhenAny(_writing, Task.Delay(PollInterval, run.Time));
        }

        await _writing;
        if (_saved?.Step == step)
            return;
        var request = new CheckpointRequest(run.Name, generation.Id, step, evaluator.BitsPerDimAt(step));
        string writer = generation.Workers[_failedWrites % generation.Workers.Count];
        await generation.AskAsync(writer, async worker =>
        {
            await worker.SnapshotAsync(request);
            return true;
        });
        _next = (run.Time.GetTimestamp(), TimeSpan.FromMinutes(run.Spec.Output.SaveMinutes));
        _writing = WriteAsync(generation, writer, request);
    }

    /// <summary>Adds a score to the checkpoint of its step, if there is one, as soon as that is written.</summary>
    public void AddScore(Generation generation, Evaluated score)
    {
        if (score.TestBitsPerDim is { } bitsPerDim)
            _writing = AddScoreAsync(_writing, generation, score.Step, bitsPerDim);
    }

    /// <summary>The folder's newest checkpoint from which one can go on, as the newest write found it; null if there is none.</summary>
    public string? NewestGood { get; private set; }

    /// <summary>
    /// The coordinator leaves: waits for the write in progress, but not long, because the folder may hang. What comes after is not told.
    /// </summary>
    public async Task LeaveAsync()
    {
        await Task.WhenAny(_writing, Task.Delay(LeaveTimeout, run.Time));
        Close();
    }

    /// <summary>The run has ended: what writes come to now is not told any more.</summary>
    public void Close() => _isClosed = true;

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
            return await TryAsync().WaitAsync(timeout, run.Time);
        }
        catch (TimeoutException late)
        {
            isOver = true;
            throw new IOException(
                $"The checkpoint of step {step} could not be written to {run.Spec.Output.SaveDir} within {timeout.TotalSeconds:F0} s.",
                late);
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
                await Task.Delay(RetryDelay, run.Time);
            }
        }
    }

    private async Task WriteAsync(Generation generation, string writer, CheckpointRequest request)
    {
        long begun = run.Time.GetTimestamp();
        try
        {
            CheckpointResponse written = await generation.AskAsync(
                writer, worker => worker.WriteSnapshotAsync(request), run.Timeouts.Write, outlives: true);
            TimeSpan took = run.Time.GetElapsedTime(begun);
            _longestWrite = took > _longestWrite ? took : _longestWrite;
            (_saved, _writer) = (new(request.Step, written.Path, written.Bytes, written.StateHash), writer);
            NewestGood = written.NewestGood;
            Tell(_saved);
            // A store that is away must not make the file count as missing.
            if (!written.IsDiverged)
                _ = run.Lease.WriteAsync(record => record with { SavedStep = Math.Max(request.Step, record.SavedStep ?? 0) });
        }
        catch (WorkerFaultException fault)
        {
            // All have the same state, and another's folder may answer.
            _failedWrites++;
            _next = (run.Time.GetTimestamp(), FailedWait);
            Tell(
                new FaultNoticed(request.Step, fault.Worker, $"The checkpoint of step {request.Step} was not written: {fault.Message}"));
        }
    }

    private async Task AddScoreAsync(Task written, Generation generation, long step, double bitsPerDim)
    {
        await written;
        if (_saved is not { } saved || saved.Step != step)
            return;
        // The run does not go on from a checkpoint that has diverged, so the record forgets it first.
        if (!double.IsFinite(bitsPerDim))
            await run.Lease.WriteAsync(record => record with { SavedStep = null });
        foreach (string worker in generation.Workers.OrderBy(worker => worker != _writer))
        {
            try
            {
                long? good = await generation.AskAsync(
                    worker, grain => grain.AddScoreAsync(new(run.Name, generation.Id, step, saved.Path, bitsPerDim)), run.Timeouts.Write,
                    outlives: true);
                if (!double.IsFinite(bitsPerDim))
                    await run.Lease.WriteAsync(record => record with { SavedStep = good });
                return;
            }
            catch (WorkerFaultException fault)
            {
                Tell(new FaultNoticed(step, fault.Worker, $"The checkpoint of step {step} has no score yet: {fault.Message}"));
            }
        }
    }

    private void Tell(RunEvent happened)
    {
        if (!_isClosed)
            run.History.Add(happened);
    }
}
