using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Telemetry;

/// <summary>
/// Figures of the runs whose coordinators are on this silo, taken from the runs' events. The names are OpenTelemetry's: Prometheus has
/// pixelcnn_run_steps_total for pixelcnn.run.steps. Their only label, besides a generation's cause, is the run.
/// </summary>
public sealed class RunMetrics
{
    private readonly ConcurrentDictionary<string, Newest> _runs = new();
    private readonly Counter<long> _steps, _images, _skipped, _redone, _generations, _faults;
    private readonly Histogram<double> _stepSeconds, _regroupSeconds, _scoringSeconds;

    public RunMetrics(Meter meter)
    {
        _steps = meter.CreateCounter<long>("pixelcnn.run.steps", "{step}", "Committed steps.");
        _images = meter.CreateCounter<long>("pixelcnn.run.images", "{image}", "Images trained on.");
        _skipped = meter.CreateCounter<long>(
            "pixelcnn.run.steps.skipped", "{step}", "Committed steps whose gradient was not finite, so that the parameters did not move.");
        _redone = meter.CreateCounter<long>("pixelcnn.run.steps.redone", "{step}", "Steps done again after a fault.");
        _generations = meter.CreateCounter<long>("pixelcnn.run.generations", "{generation}", "Generations opened, by cause.");
        _faults = meter.CreateCounter<long>("pixelcnn.run.faults", "{fault}", "Faults noticed.");
        _stepSeconds = Meters.Seconds(
            meter, "pixelcnn.run.step.duration",
            "From a step's order, or the end of the step before where that goes on, to the last report of it.");
        _regroupSeconds = Meters.Seconds(
            meter, "pixelcnn.run.regroup.duration", "From the end of a generation to the first order of the next.");
        _scoringSeconds = Meters.Seconds(meter, "pixelcnn.run.scoring.duration", "Scoring of the test images.");
        Gauge("pixelcnn.run.bits_per_dim", null, "Training objective of the newest step.", run => run.Step?.BitsPerDim);
        Gauge("pixelcnn.run.test_bits_per_dim", null, "Newest test score.", run => run.Score?.TestBitsPerDim);
        Gauge("pixelcnn.run.gradient_norm", null, "Euclidean norm of the newest gradient.", run => run.Step?.GradientNorm);
        Gauge("pixelcnn.run.learning_rate", null, "Learning rate of the newest step.", run => run.Step?.LearningRate);
        Gauge("pixelcnn.run.epoch", "{epoch}", "Epochs trained.", run => run.Step?.Epoch);
        Gauge("pixelcnn.run.workers", "{worker}", "Workers of the newest generation.", run => run.Generation?.Workers.Count);
        Gauge("pixelcnn.run.workers.wanted", "{worker}", "Workers that the run asks for.", run => run.Spec.Compute.Workers);
        Gauge("pixelcnn.run.checkpoint.size", "By", "Size of the newest checkpoint.", run => run.Checkpoint?.Saved.Bytes);
        Gauge("pixelcnn.run.checkpoint.time", "s", "When the newest checkpoint was written, in seconds since 1970.", run =>
            run.Checkpoint?.At.ToUnixTimeSeconds());

        meter.CreateObservableGauge(
            "pixelcnn.cluster.workers.spare", () => Spare is { } count ? [new Measurement<int>(count)]
                : Array.Empty<Measurement<int>>(), "{worker}", "Workers that no run has.");

        void Gauge(string name, string? unit, string description, Func<Newest, double?> value) => meter.CreateObservableGauge(
            name,
            () => from run in _runs
                  where value(run.Value) is not null
                  select new Measurement<double>(value(run.Value)!.Value, Label(run.Key)),
            unit,
            description);
    }

    /// <summary>Workers that no run has; null where the list of runs is elsewhere.</summary>
    public int? Spare { get; set; }

    /// <summary>Takes the figures of a run from now on, and until <see cref="Forget"/>.</summary>
    /// <param name="score">The newest, where the run goes on.</param>
    public void Follow(string run, RunSpec spec, Evaluated? score) => _runs[run] = new(spec) { Score = score };

    /// <summary>The run has ended, or its coordinator is elsewhere.</summary>
    public void Forget(string run) => _runs.TryRemove(run, out _);

    public void Add(string run, RunEvent happened, DateTimeOffset now)
    {
        if (!_runs.TryGetValue(run, out Newest? newest))
            return;
        KeyValuePair<string, object?> label = Label(run);
        switch (happened)
        {
            case StepCommitted step:
                newest.Step = step;
                _steps.Add(1, label);
                _images.Add(newest.Spec.Optimiser.ImagesPerStep, label);
                _skipped.Add(step.Skipped ? 1 : 0, label);
                _stepSeconds.Record(newest.Spec.Optimiser.ImagesPerStep / step.ImagesPerS, label);
                break;
            case GenerationOpened generation:
                newest.Generation = generation;
                _generations.Add(1, label, new("cause", generation.Kind.ToString()));
                _redone.Add(generation.StepsRedone, label);
                _regroupSeconds.Record(generation.Seconds, label);
                break;
            case WorkersAwaited:
                newest.Generation = newest.Generation is { } before ? before with { Workers = [] } : null;
                break;
            case Evaluated score:
                newest.Score = score;
                _scoringSeconds.Record(score.Seconds, label);
                break;
            case CheckpointSaved saved:
                newest.Checkpoint = (saved, now);
                break;
            case FaultNoticed:
                _faults.Add(1, label);
                break;
        }
    }

    private static KeyValuePair<string, object?> Label(string run) => new("run", run);

    private sealed class Newest(RunSpec spec)
    {
        public RunSpec Spec => spec;

        public StepCommitted? Step { get; set; }

        public GenerationOpened? Generation { get; set; }

        public Evaluated? Score { get; set; }

        public (CheckpointSaved Saved, DateTimeOffset At)? Checkpoint { get; set; }
    }
}
