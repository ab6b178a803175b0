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
    private static readonly TimeSpan ReadPatience = TimeSpan.FromSeconds(1);

    private readonly RunHistory history = new();
    private readonly Stopwatch training = new();
    private RunSpec? spec;
    private Generation? generation;
    private bool stopping;
    private long step;
    private long firstStep;
    private Evaluated? score;
    private Task<CheckpointReport>? writing;
    private CheckpointReport? checkpoint;
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
        try
        {
            generation = await AssembleAsync(spec);
            firstStep = step = generation.FirstStep;
            var order = new DataOrder(generation.TrainImages, spec.BatchSize, spec.Shards, spec.Seed);
            double stepsPerEpoch = 1 / order.EpochsAfter(1);
            long totalSteps = Math.Min(spec.MaxSteps ?? long.MaxValue, (long)Math.Ceiling(spec.MaxEpochs * stepsPerEpoch));
            history.Add(new RunStarted(
                Run, spec, generation.Workers.Count, generation.Parameters, generation.TrainImages, generation.TestImages,
                generation.Channels, generation.Size, step, stepsPerEpoch, totalSteps));

            while (step < totalSteps && !stopping && !(training.Elapsed.TotalMinutes >= spec.MaxMinutes))
            {
                await StepAsync(spec, order.EpochsAfter(step + 1));
                long epoch = (long)order.EpochsAfter(step);
                if (epoch > (long)order.EpochsAfter(step - 1))
                {
                    await EvaluateAsync(spec, order.EpochsAfter(step));
                    if (epoch % spec.SaveInterval == 0 && step < totalSteps)
                        await SaveAndDrawAsync(spec);
                }
            }

            if (!stopping && score?.Step != step)
                await EvaluateAsync(spec, order.EpochsAfter(step));
            await SaveAsync(spec);
            if (!stopping)
                await DrawAsync(spec);
            await FinishWritingAsync();
            End(stopping ? RunOutcome.Stopped : RunOutcome.Completed, await generation.FirstWorker.HashAsync(new(Run, generation.Number, step)));
        }
        catch (Exception fault)
        {
            LogFailed(log, fault, Run, step);
            if (fault is not UserErrorException)
                history.Add(new FaultNoticed(step, (fault as WorkerFaultException)?.Worker, fault.Message));
            End(RunOutcome.Failed, stateHash: null, fault);
        }
        finally
        {
            await DismissAsync();
        }
    }

    private async Task<Generation> AssembleAsync(RunSpec spec)
    {
        IReadOnlyList<string> names = await cluster.WaitForAsync(spec.Workers);
        var order = new GenerationOrder(Run, Generation: 1, names, spec);
        generation = new(order.Generation, [.. names.Select(name => GrainFactory.GetGrain<IWorkerGrain>(name))], default!);
        JoinReport[] joined = await generation.AllAsync(worker => worker.JoinAsync(order));
        return generation with { Joined = joined[0] };
    }

    /// <summary>Frees the workers; one that cannot be reached has lost its replica anyway.</summary>
    private async Task DismissAsync()
    {
        try
        {
            if (generation is not null)
                await Task.WhenAll(generation.Workers.Select(worker => worker.LeaveAsync(Run)));
        }
        catch (Exception fault)
        {
            LogLost(log, fault, Run);
        }
    }

    private async Task StepAsync(RunSpec spec, double epoch)
    {
        long begun = Stopwatch.GetTimestamp();
        training.Start();
        StepReport[] reports = await generation!.AllAsync(worker => worker.StepAsync(new(Run, generation.Number, step)));
        training.Stop();
        double loss = reports.SelectMany(report => report.ShardLosses).Sum() / spec.ImagesPerStep;
        double norm = reports[0].GradientNorm;
        history.Add(new StepCommitted(
            step + 1, epoch, BitsPerDim(spec, loss), loss, norm, TrainingState.LearningRate(spec, step),
            spec.ImagesPerStep / Stopwatch.GetElapsedTime(begun).TotalSeconds, generation.Workers.Count, generation.Number, Skipped: !double.IsFinite(norm)));
        step++;
    }

    /// <summary>Test batches are shared out like shards; their losses are summed in order, so the score does not depend on the workers.</summary>
    private async Task EvaluateAsync(RunSpec spec, double epoch)
    {
        long begun = Stopwatch.GetTimestamp();
        var batches = new ReductionTree((generation!.TestImages + spec.BatchSize - 1) / spec.BatchSize);
        EvaluationReport[] reports = await generation.AllAsync((worker, rank) =>
        {
            ShardRange share = batches.ShareOf(rank, generation.Workers.Count);
            return worker.EvaluateAsync(new(Run, generation.Number, step, share.First, share.End));
        });
        double loss = reports.SelectMany(report => report.BatchLosses).Sum() / generation.TestImages;
        score = new(step, epoch, BitsPerDim(spec, loss), loss, generation.TestImages, Stopwatch.GetElapsedTime(begun).TotalSeconds);
        history.Add(score);
        LogScored(log, Run, step, epoch, score.TestBitsPerDim ?? loss);
    }

    private async Task SaveAndDrawAsync(RunSpec spec)
    {
        await SaveAsync(spec);
        await DrawAsync(spec);
    }

    /// <summary>One worker copies the state, which all have alike, and writes it while the run goes on.</summary>
    private async Task SaveAsync(RunSpec spec)
    {
        await FinishWritingAsync();
        double? testScore = score?.Step == step ? score.TestBitsPerDim : null;
        await generation!.FirstWorker.SnapshotAsync(new(Run, generation.Number, step, testScore));
        writing = WriteAsync(step);

        async Task<CheckpointReport> WriteAsync(long saved)
        {
            CheckpointReport report = await generation.FirstWorker.WriteSnapshotAsync();
            history.Add(new CheckpointSaved(saved, report.Path, report.Bytes, report.StateHash));
            return report;
        }
    }

    private async Task FinishWritingAsync()
    {
        if (writing is not null)
            checkpoint = await writing;
    }

    private async Task DrawAsync(RunSpec spec)
    {
        if (spec.Samples == 0)
            return;
        var images = new ReductionTree(spec.Samples);
        SampleReport[] reports = await generation!.AllAsync((worker, rank) =>
        {
            ShardRange share = images.ShareOf(rank, generation.Workers.Count);
            return worker.SampleAsync(new(Run, generation.Number, step, share.First, share.End));
        });
        byte[] pixels = [.. reports.SelectMany(report => report.Pixels)];
        string path = Path.Combine(spec.SaveDir, $"samples-{step:D9}.png");
        await Task.Run(() => SampleGrid.Write(path, pixels, spec.Samples, generation.Channels, generation.Size));
        samples = path;
        history.Add(new SamplesDrawn(step, path, spec.Samples, generation.Channels, generation.Size, pixels));
    }

    private double? BitsPerDim(RunSpec spec, double lossPerImage) => spec.Objective == Objective.EnergyDistance
        ? null
        : lossPerImage / (Math.Log(2) * generation!.Channels * generation.Size * generation.Size);

    private void End(RunOutcome outcome, string? stateHash, Exception? fault = null)
    {
        double seconds = training.Elapsed.TotalSeconds;
        history.Add(new RunEnded(
            outcome, step, stateHash, score?.TestBitsPerDim, seconds > 0 ? (step - firstStep) * spec!.ImagesPerStep / seconds : 0,
            checkpoint?.Path, samples, fault?.Message, fault is UserErrorException));
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Run {Run} after step {Step}, epoch {Epoch:F2}: test score {Score:F4}")]
    private static partial void LogScored(ILogger logger, string run, long step, double epoch, double score);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Run {Run} could not dismiss all its workers")]
    private static partial void LogLost(ILogger logger, Exception fault, string run);

    [LoggerMessage(Level = LogLevel.Error, Message = "Run {Run} failed at step {Step}")]
    private static partial void LogFailed(ILogger logger, Exception fault, string run, long step);

    /// <summary>A fixed set of workers and what they all found in the data.</summary>
    private sealed record Generation(int Number, IReadOnlyList<IWorkerGrain> Workers, JoinReport Joined)
    {
        public IWorkerGrain FirstWorker => Workers[0];

        public long FirstStep => Joined.Step;

        public long Parameters => Joined.Parameters;

        public int TrainImages => Joined.TrainImages;

        public int TestImages => Joined.TestImages;

        public int Channels => Joined.Channels;

        public int Size => Joined.Size;

        public Task<T[]> AllAsync<T>(Func<IWorkerGrain, Task<T>> ask) => AllAsync((worker, _) => ask(worker));

        public Task<T[]> AllAsync<T>(Func<IWorkerGrain, int, Task<T>> ask) => Task.WhenAll(Workers.Select((worker, rank) => NamedAsync(worker, ask(worker, rank))));

        private static async Task<T> NamedAsync<T>(IWorkerGrain worker, Task<T> answer)
        {
            try
            {
                return await answer;
            }
            catch (Exception fault) when (fault is not UserErrorException)
            {
                throw new WorkerFaultException(worker.GetPrimaryKeyString(), fault);
            }
        }
    }
}
