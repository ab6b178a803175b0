using System.Diagnostics.Metrics;

namespace PixelCnnCluster.Actors.Telemetry;

/// <summary>What a step's time goes into on one worker.</summary>
public enum StepPhase { Wait, Apply, Compute, Reduce, Gather }

/// <summary>Figures of this silo's device, at training and with trained models.</summary>
public sealed class DeviceMetrics(Meter meter)
{
    private readonly Histogram<double> _phases = Meters.Seconds(
        meter, "pixelcnn.worker.step.duration", "A step's time on this worker, by phase.");
    private readonly Counter<long> _exchanged = meter.CreateCounter<long>(
        "pixelcnn.worker.exchanged", "By", "Bytes of gradients that this worker sent to others.");
    private readonly Histogram<double> _checkpoints = Meters.Seconds(
        meter, "pixelcnn.worker.checkpoint.duration", "Writing of a checkpoint, while training goes on.");
    private readonly Histogram<double> _loads = Meters.Seconds(
        meter, "pixelcnn.worker.load.duration", "What a generation waited for this worker to read the run's data and build its replica.");
    private readonly Counter<long> _sampled = meter.CreateCounter<long>("pixelcnn.sampler.drawn", "{image}", "Images sampled for jobs.");
    private readonly Counter<long> _scored = meter.CreateCounter<long>("pixelcnn.sampler.scored", "{image}", "Images scored for jobs.");
    private readonly UpDownCounter<long> _busy = meter.CreateUpDownCounter<long>(
        "pixelcnn.sampler.parts", "{part}", "Parts of jobs that this sampler has begun and not finished.");
    private readonly UpDownCounter<long> _queued = meter.CreateUpDownCounter<long>(
        "pixelcnn.job.queue", "{image}", "Images of the jobs kept on this silo that are yet to be finished.");

    /// <param name="used">Bytes, asked for with each scrape.</param>
    public void WatchMemory(Func<long> used) =>
        meter.CreateObservableGauge("pixelcnn.device.memory", used, "By", "Memory of this silo's GPU that is in use, whoever uses it.");

    public void AddPhase(string run, StepPhase phase, TimeSpan time) =>
        _phases.Record(time.TotalSeconds, new("run", run), new("phase", phase.ToString()));

    public void AddSent(string run, int bytes) => _exchanged.Add(bytes, new KeyValuePair<string, object?>("run", run));

    public void AddCheckpoint(string run, TimeSpan time) =>
        _checkpoints.Record(time.TotalSeconds, new KeyValuePair<string, object?>("run", run));

    public void AddLoad(string run, TimeSpan time) => _loads.Record(time.TotalSeconds, new KeyValuePair<string, object?>("run", run));

    public void AddSampled(int images) => _sampled.Add(images);

    public void AddScored(int images) => _scored.Add(images);

    public void AddQueued(int images) => _queued.Add(images);

    public void BeginPart() => _busy.Add(1);

    public void EndPart() => _busy.Add(-1);
}
