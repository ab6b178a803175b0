using System.Diagnostics;
using Microsoft.Extensions.Logging;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors;

/// <summary>
/// The coordinator of one run: waits for its workers, orders step after step, each order carrying the commit of the one before,
/// and between steps has them score, save and draw.
/// </summary>
[KeepAlive]
public sealed partial class TrainingRunGrain(ClusterWorkers cluster, ILogger<TrainingRunGrain> log) : Grain, ITrainingRunGrain
{
    /// <summary>Test batches that a worker scores before it is asked again.</summary>
    private const int BatchesAtOnce = 16;

    private static readonly TimeSpan ReadPatience = TimeSpan.FromSeconds(1);

    private readonly RunHistory history = new();
    private readonly Stopwatch stepping = new();
    private RunSpec? spec;
    private JoinReport? joined;
    private bool stopping;
    private long step;
    private long firstStep;
    private Evaluated? score;
    private Task<CheckpointReport>? writing;
    private string? samples;

    private string Run => this.GetPrimaryKeyString();

    public Task StartAsync(RunSpec spec)
    {
        if (this.spec is not null)
            throw new UserErrorException($"Run {Run} exists already; give another --save-dir.");
        if (spec.Validate() is [_, ..] mistakes)
            throw new UserErrorException(string.Join(' ', mistakes));
        this.spec = spec;
        _ = RunAsync(spec);
        return Task.CompletedTask;
    }

    public Task<RunProgress> ReadAsync(int from) => history.ReadAsync(from, ReadPatience);

    public Task StopAsync()
    {
        stopping = true;
        return Task.CompletedTask;
    }

    private async Task RunAsync(RunSpec spec)
    {
        Generation? generation = null;
        RunEnded ended;
        try
        {
            generation = await AssembleAsync(spec);
            ended = await TrainAsync(spec, generation);
        }
        catch (Exception fault)
        {
            LogFailed(log, fault, Run, step);
            if (fault is not UserErrorException)
                history.Add(new FaultNoticed(step, (fault as WorkerFaultException)?.Worker, fault.Message));
            ended = End(RunOutcome.Failed, stateHash: null, await NewestCheckpointAsync(), fault);
        }

        await DismissAsync(generation);
        history.Add(ended);
    }

    private async Task<Generation> AssembleAsync(RunSpec spec)
    {
        IReadOnlyList<string> names = await cluster.WaitForAsync(spec.Workers);
        var generation = new Generation(1, [.. names.Select(name => GrainFactory.GetGrain<IWorkerGrain>(name))]);
        try
        {
            joined = (await generation.AskAsync(worker => worker.JoinAsync(new(Run, generation.Number, names, spec))))[0];
            return generation;
        }
        catch
        {
            await DismissAsync(generation);
            throw;
        }
    }

    /// <summary>The training loop.</summary>
    private async Task<RunEnded> TrainAsync(RunSpec spec, Generation generation)
    {
        var order = new DataOrder(joined!.TrainImages, spec.BatchSize, spec.Shards, spec.Seed);
        long totalSteps = Math.Min(spec.MaxSteps ?? long.MaxValue, order.StepsFor(spec.MaxEpochs));
        firstStep = step = joined.Step;
        history.Add(new RunStarted(
            Run, spec, generation.Workers.Count, joined.Parameters, joined.TrainImages, joined.TestImages, joined.Channels, joined.Size,
            step, StepsPerEpoch: 1 / order.EpochsAfter(1), totalSteps));

        var clock = Stopwatch.StartNew();
        while (step < totalSteps && !stopping && !(clock.Elapsed.TotalMinutes >= spec.MaxMinutes))
        {
            await StepAsync(spec, generation, order.EpochsAfter(step + 1));
            (long before, long epochs) = (order.WholeEpochsAfter(step - 1), order.WholeEpochsAfter(step));
            if (epochs > before)
                await EvaluateAsync(spec, generation, epochs);
            if (epochs / spec.SaveInterval > before / spec.SaveInterval && step < totalSteps && !stopping)
            {
                await SaveAsync(generation);
                await DrawAsync(spec, generation);
            }
        }

        if (score?.Step != step)
            await EvaluateAsync(spec, generation, order.EpochsAfter(step));
        await SaveAsync(generation);
        if (!stopping)
            await DrawAsync(spec, generation);
        CheckpointReport saved = await writing!;
        string[] hashes = await generation.AskAsync(worker => worker.HashAsync(new(Run, generation.Number, step)));
        if (hashes.Any(hash => hash != saved.StateHash))
            throw new InvalidOperationException($"The workers' states differ after step {step}: {string.Join(", ", hashes)}.");
        LogEnded(log, Run, step, saved.StateHash);
        return End(stopping ? RunOutcome.Stopped : RunOutcome.Completed, saved.StateHash, saved.Path, fault: null);
    }

    private async Task StepAsync(RunSpec spec, Generation generation, double epoch)
    {
        long begun = Stopwatch.GetTimestamp();
        stepping.Start();
        StepReport[] reports = await generation.AskAsync(worker => worker.StepAsync(new(Run, generation.Number, step)));
        stepping.Stop();
        double loss = reports.SelectMany(report => report.ShardLosses).Sum() / spec.ImagesPerStep;
        double norm = reports[0].GradientNorm;
        history.Add(new StepCommitted(
            step + 1, epoch, BitsPerDim(spec, loss), loss, norm, TrainingState.LearningRate(spec, step),
            spec.ImagesPerStep / Stopwatch.GetElapsedTime(begun).TotalSeconds, generation.Workers.Count, generation.Number, Skipped: !double.IsFinite(norm)));
        step++;
    }

    /// <summary>
    /// Test batches are shared out like shards and their losses summed in order, so that the score does not depend on the workers. They are asked
    /// for a few at a time, because a run that is told to stop leaves the score out.
    /// </summary>
    private async Task EvaluateAsync(RunSpec spec, Generation generation, double epoch)
    {
        long begun = Stopwatch.GetTimestamp();
        int batches = (joined!.TestImages + spec.BatchSize - 1) / spec.BatchSize, atOnce = BatchesAtOnce * generation.Workers.Count;
        double total = 0;
        for (int first = 0; first < batches; first += atOnce)
        {
            if (stopping)
                return;
            int from = first;
            EvaluationReport[] reports = await generation.ShareAsync(
                Math.Min(atOnce, batches - first),
                (worker, share) => worker.EvaluateAsync(new(Run, generation.Number, step, from + share.First, from + share.End)));
            foreach (double loss in reports.SelectMany(report => report.BatchLosses))
                total += loss;
        }

        double perImage = total / joined.TestImages;
        score = new(step, epoch, BitsPerDim(spec, perImage), perImage, joined.TestImages, Stopwatch.GetElapsedTime(begun).TotalSeconds);
        history.Add(score);
        LogScored(log, Run, step, epoch, score.TestBitsPerDim ?? perImage);
    }

    /// <summary>One worker copies the state, which all have alike, and writes it while the run goes on.</summary>
    private async Task SaveAsync(Generation generation)
    {
        if (writing is not null)
            await writing;
        var order = new CheckpointOrder(Run, generation.Number, step, score?.Step == step ? score.TestBitsPerDim : null);
        await generation.First.SnapshotAsync(order);
        writing = WriteAsync();

        async Task<CheckpointReport> WriteAsync()
        {
            CheckpointReport report = await generation.First.WriteSnapshotAsync(order);
            history.Add(new CheckpointSaved(order.Step, report.Path, report.Bytes, report.StateHash));
            return report;
        }
    }

    private async Task DrawAsync(RunSpec spec, Generation generation)
    {
        if (spec.Samples == 0)
            return;
        SampleReport[] reports = await generation.ShareAsync(
            spec.Samples, (worker, share) => worker.SampleAsync(new(Run, generation.Number, step, share.First, share.End)));
        byte[] pixels = [.. reports.SelectMany(report => report.Pixels)];
        string path = Path.Combine(spec.SaveDir, $"samples-{step:D9}.png");
        await Task.Run(() => SampleGrid.Write(path, pixels, spec.Samples, joined!.Channels, joined.Size));
        samples = path;
        history.Add(new SamplesDrawn(step, path, spec.Samples, joined!.Channels, joined.Size, pixels));
    }

    /// <summary>Waits for a checkpoint that is being written, so that the run does not end under it.</summary>
    private async Task<string?> NewestCheckpointAsync()
    {
        try
        {
            return writing is null ? null : (await writing).Path;
        }
        catch (Exception fault)
        {
            LogNotSaved(log, fault, Run);
            return null;
        }
    }

    /// <summary>Frees the workers; one that cannot be reached has lost its replica anyway.</summary>
    private async Task DismissAsync(Generation? generation)
    {
        try
        {
            await Task.WhenAll(generation?.Workers.Select(worker => worker.LeaveAsync(Run)) ?? []);
        }
        catch (Exception fault)
        {
            LogLost(log, fault, Run);
        }
    }

    private double? BitsPerDim(RunSpec spec, double lossPerImage) => spec.Objective == Objective.EnergyDistance
        ? null
        : lossPerImage / (Math.Log(2) * joined!.Channels * joined.Size * joined.Size);

    private RunEnded End(RunOutcome outcome, string? stateHash, string? checkpoint, Exception? fault)
    {
        double seconds = stepping.Elapsed.TotalSeconds;
        return new(
            outcome, step, stateHash, score?.Step == step ? score.TestBitsPerDim : null,
            seconds > 0 ? (step - firstStep) * spec!.ImagesPerStep / seconds : 0, checkpoint, samples, fault?.Message, fault is UserErrorException);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Run {Run} after step {Step}, epoch {Epoch:F2}: test score {Score:F4}")]
    private static partial void LogScored(ILogger logger, string run, long step, double epoch, double score);

    [LoggerMessage(Level = LogLevel.Information, Message = "Run {Run} ended after step {Step}, state {StateHash}")]
    private static partial void LogEnded(ILogger logger, string run, long step, string stateHash);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Run {Run} lost the checkpoint that was being written")]
    private static partial void LogNotSaved(ILogger logger, Exception fault, string run);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Run {Run} could not dismiss all its workers")]
    private static partial void LogLost(ILogger logger, Exception fault, string run);

    [LoggerMessage(Level = LogLevel.Error, Message = "Run {Run} failed at step {Step}")]
    private static partial void LogFailed(ILogger logger, Exception fault, string run, long step);
}
