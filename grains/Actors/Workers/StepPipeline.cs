using System.Diagnostics;
using PixelCnnCluster.Actors.Telemetry;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Devices;
using PixelCnnCluster.Training.State;

namespace PixelCnnCluster.Actors.Workers;

/// <summary>A worker's steps in one generation. Each goes through five stages: compute, exchange, measure, apply, prefetch.</summary>
/// <param name="check">Throws if the worker has left the generation, or its state has not applied so many steps. Called on the
/// device.</param>
/// <param name="enter">Told what the worker is at.</param>
internal sealed class StepPipeline(
    GenerationMember member, IDevice device, Action<long> check, Action<WorkerPhase> enter, DeviceMetrics metrics, TimeProvider time)
{
    private readonly string _run = member.Request.Run;

    /// <summary>Protects <see cref="_newest"/>.</summary>
    private readonly Lock _gate = new();

    /// <summary>Of the newest step that the device has been asked for.</summary>
    private Computation? _newest;

    /// <summary>When the newest step was applied; touched on the device alone.</summary>
    private long? _applied;

    private IReplica Replica => member.Session.Replica!;

    /// <summary>Answers when the gradient is whole and measured, and applies it then.</summary>
    public async Task<StepResponse> RunAsync(StepRequest request)
    {
        string worker = member.Response.Worker;
        using Activity? span = Traces.Begin(
            "worker step", ("run", _run), ("generation", request.Generation), ("step", request.Step + 1), ("worker", worker));
        long requested = time.GetTimestamp();
        Computation computation = Compute(request.Step);
        // This is not under the lock: where all shards are there, the exchange begins with sums.
        await computation.Turn.ConfigureAwait(ConfigureAwaitOptions.ForceYielding | ConfigureAwaitOptions.ContinueOnCapturedContext);
        AllReduceStep step = member.Exchange.Begin(request.Step);
        ComputedShards computed = await computation.Done;
        IReadOnlyList<ReadOnlyMemory<float>> gradient = await ExchangeAsync(step, computed, requested);
        GradientMeasure measure = await MeasureAsync(request, gradient);
        return new(worker, request.Step, computed.Losses, measure.Norm, measure.SkippedInARow);
    }

    /// <summary>
    /// Has the device compute this worker's shards of a step, after what it was asked for before; once, whether the request comes first or
    /// the step before prefetches it.
    /// </summary>
    private Computation Compute(long step)
    {
        lock (_gate)
        {
            if (_newest is { } known && known.Step == step)
                return known;
            var computation = new Computation(step, device.RunAsync(() => check(step)), device.RunAsync(ComputeShards));
            // An old request that comes late is refused on the device.
            if (_newest is null || step > _newest.Step)
                _newest = computation;
            return computation;
        }

        ComputedShards ComputeShards()
        {
            check(step);
            long begun = time.GetTimestamp();
            TimeSpan? idle = _applied is { } applied ? time.GetElapsedTime(applied, begun) : null;
            enter(WorkerPhase.Computing);
            double[] losses = Replica.ComputeShards(member.Exchange.Share, member.Exchange.Prepare(step));
            enter(WorkerPhase.Waiting);
            long end = time.GetTimestamp();
            metrics.AddPhase(_run, StepPhase.Compute, time.GetElapsedTime(begun, end));
            return new(losses, idle, begun, end);
        }
    }

    /// <returns>The buckets of the whole gradient.</returns>
    private async Task<IReadOnlyList<ReadOnlyMemory<float>>> ExchangeAsync(AllReduceStep step, ComputedShards computed, long requested)
    {
        enter(WorkerPhase.Exchanging);
        Traces.Add("compute", computed.Begun, computed.Ended, time);
        using Activity? span = Traces.Begin("exchange");
        long begun = Math.Max(requested, computed.Ended);
        if (computed.Idle is { } idle)
            metrics.AddPhase(_run, StepPhase.Wait, idle + time.GetElapsedTime(computed.Ended, begun));
        await member.PeerLoss.UnlessAsync(step.Reduced);
        long summed = time.GetTimestamp();
        await member.PeerLoss.UnlessAsync(step.Whole);
        IReadOnlyList<ReadOnlyMemory<float>> gradient = await step.Whole;
        metrics.AddPhase(_run, StepPhase.Reduce, time.GetElapsedTime(begun, summed));
        metrics.AddPhase(_run, StepPhase.Gather, time.GetElapsedTime(summed));
        return gradient;
    }

    /// <summary>
    /// Measures the gradient on the device. The coordinator commits while the device applies it and begins the next step.
    /// </summary>
    private async Task<GradientMeasure> MeasureAsync(StepRequest request, IReadOnlyList<ReadOnlyMemory<float>> gradient)
    {
        var measured = new TaskCompletionSource<GradientMeasure>(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = device.RunAsync(() =>
        {
            try
            {
                check(request.Step);
                long begun = time.GetTimestamp();
                enter(WorkerPhase.Computing);
                GradientMeasure measure = Replica.Measure(gradient);
                measured.SetResult(measure);
                Apply(gradient, measure, begun);
                if (request.PrefetchNext)
                    Compute(request.Step + 1);
            }
            catch (Exception fault)
            {
                if (!measured.TrySetException(fault))
                    member.Session.Break(fault);
            }
        });
        return await measured.Task;
    }

    private void Apply(IReadOnlyList<ReadOnlyMemory<float>> gradient, GradientMeasure measure, long begun)
    {
        Replica.Apply(gradient, measure);
        enter(WorkerPhase.Waiting);
        long end = time.GetTimestamp();
        _applied = end;
        metrics.AddPhase(_run, StepPhase.Apply, time.GetElapsedTime(begun, end));
    }

    /// <summary>The work on this worker's shards of a step.</summary>
    /// <param name="Turn">Completes when the device has applied the step before and comes to this one.</param>
    private sealed record Computation(long Step, Task Turn, Task<ComputedShards> Done);

    /// <param name="Losses">See <see cref="StepResponse"/>.</param>
    /// <param name="Idle">From the end of the step before until they were begun; null in a generation's first step.</param>
    private sealed record ComputedShards(double[] Losses, TimeSpan? Idle, long Begun, long Ended);
}
