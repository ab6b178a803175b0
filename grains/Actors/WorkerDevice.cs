using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Data;

namespace PixelCnnCluster.Actors;

/// <summary>
/// The silo's device and the replica on it, apart from any grain activation. Tensor work runs on the device's own threads; an
/// order of a generation other than the worker's own is refused.
/// </summary>
public sealed class WorkerDevice(DeviceThreads threads, IGrainFactory grains)
{
    private Membership? membership;
    private (string Key, ImageData Data)? loaded;
    private (CheckpointOrder Order, Checkpoint Checkpoint, RunSpec Spec)? snapshot;
    private string? left;

    /// <summary>
    /// Joins a generation: a replica of the run that is here already is kept, else one is built from the specification.
    /// </summary>
    /// <exception cref="UserErrorException">The data set or the checkpoint cannot be used.</exception>
    public async Task<JoinReport> JoinAsync(string worker, GenerationOrder order)
    {
        if (membership is { } current && current.Order.Run == order.Run && current.Order.Generation >= order.Generation)
            throw new StaleOrderException($"{worker} is in generation {current.Order.Generation} of run {order.Run}; generation {order.Generation} is over.");

        Membership? previous = membership;
        membership = null;
        Replica replica = await threads.RunAsync(() =>
        {
            if (previous?.Order.Run == order.Run)
                return previous.Replica;
            previous?.Replica.Dispose();
            return Build(order.Spec);
        });
        if (left == order.Run)
        {
            await DisposeAsync(replica);
            throw new StaleOrderException($"{worker} left run {order.Run} before it had joined.");
        }

        int rank = order.Workers.ToList().IndexOf(worker);
        membership = new(order, worker, rank, replica, new(
            order.Run, order.Generation, replica.Tree, order.Workers.Count, rank, (int)replica.Network.Layout.Length, new GrainChunkDoor(grains, order.Workers)));
        ImageData data = loaded!.Value.Data;
        return new(worker, replica.State.Step, replica.Network.Layout.Count, data.Train.Count, data.Test.Count, data.Train.Channels, data.Train.Size);
    }

    public async Task<StepReport> StepAsync(StepOrder order)
    {
        Membership member = MemberOf(order.Run, order.Generation);
        Replica replica = member.Replica;
        (double[] losses, TreeSum gradients) = await threads.RunAsync(() =>
        {
            replica.AdvanceTo(order.Step);
            return replica.ComputeShards(ShardRange.ShareOf(member.Order.Spec.Shards, member.Rank, member.Order.Workers.Count));
        });
        float[] gradient = await member.Exchange.ExchangeAsync(order.Step, gradients.Sums);
        double norm = await threads.RunAsync(() => replica.Hold(gradient));
        return new(member.Worker, order.Step, losses, norm);
    }

    /// <summary>A chunk of another generation is dropped: the generation that sent it is over, or this worker has yet to hear of it.</summary>
    public Task DeliverAsync(GradientChunk chunk) => membership?.Exchange.ReceiveAsync(chunk) ?? Task.CompletedTask;

    public Task<EvaluationReport> EvaluateAsync(EvaluationOrder order) => AtStepAsync(
        order.Run, order.Generation, order.Step, member => new EvaluationReport(member.Replica.Evaluate(order.FirstBatch, order.EndBatch)));

    public Task<SampleReport> SampleAsync(SampleOrder order) => AtStepAsync(
        order.Run, order.Generation, order.Step, member => new SampleReport(member.Replica.Sample(order.First, order.End)));

    public Task<string> HashAsync(StepOrder order) => AtStepAsync(
        order.Run, order.Generation, order.Step, member => member.Replica.State.Hash());

    /// <summary>Copies the state; <see cref="WriteSnapshotAsync"/> writes it while training goes on.</summary>
    public async Task SnapshotAsync(CheckpointOrder order) => snapshot = await AtStepAsync(
        order.Run, order.Generation, order.Step,
        member => (order, Checkpoint.Of(member.Replica.State, order.Run, member.Order.Spec, order.TestBitsPerDim), member.Order.Spec));

    public Task<CheckpointReport> WriteSnapshotAsync(CheckpointOrder order)
    {
        if (snapshot is not { } taken || taken.Order != order)
            throw new StaleOrderException($"This worker has no snapshot of step {order.Step} of run {order.Run}.");
        snapshot = null;
        return Task.Factory.StartNew(
            () => CheckpointFolder.Save(taken.Checkpoint, taken.Spec.SaveDir, taken.Spec.KeepCheckpoints),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    public Task LeaveAsync(string run)
    {
        left = run;
        if (snapshot?.Order.Run == run)
            snapshot = null;
        if (membership is not { } member || member.Order.Run != run)
            return Task.CompletedTask;
        membership = null;
        member.Exchange.Abandon();
        return DisposeAsync(member.Replica);
    }

    private Task<bool> DisposeAsync(Replica replica) => threads.RunAsync(() =>
    {
        replica.Dispose();
        return true;
    });

    private Replica Build(RunSpec spec)
    {
        string key = $"{spec.DataSet} {spec.DataDir} {spec.ImageSize}";
        if (loaded?.Key != key)
            loaded = (key, ImageDataSets.Load(spec.DataSet, spec.DataDir, spec.ImageSize));
        ImageData data = loaded.Value.Data;
        if (spec.ClassConditional && data.Train.Classes == 0)
            throw new UserErrorException("--class-conditional needs labels, which this data set has not; leave it out or give images in class folders.");
        var replica = new Replica(spec, data, threads);
        try
        {
            replica.Initialise();
            if (spec.LoadParams is { } path)
                Checkpoint.Read(path).Fill(replica.State, path);
            return replica;
        }
        catch
        {
            replica.Dispose();
            throw;
        }
    }

    private Task<T> AtStepAsync<T>(string run, int generation, long step, Func<Membership, T> work)
    {
        Membership member = MemberOf(run, generation);
        return threads.RunAsync(() =>
        {
            member.Replica.AdvanceTo(step);
            return work(member);
        });
    }

    private Membership MemberOf(string run, int generation) => membership is { } member && member.Order.Run == run && member.Order.Generation == generation
        ? member
        : throw new StaleOrderException($"This worker is not in generation {generation} of run {run}.");

    private sealed record Membership(GenerationOrder Order, string Worker, int Rank, Replica Replica, GradientExchange Exchange);

    /// <summary>Chunks go from grain to grain.</summary>
    private sealed class GrainChunkDoor(IGrainFactory grains, IReadOnlyList<string> workers) : IChunkDoor
    {
        public async Task SendAsync(int rank, GradientChunk chunk)
        {
            try
            {
                await grains.GetGrain<IWorkerGrain>(workers[rank]).DeliverAsync(chunk);
            }
            catch (Exception fault) when (fault is not WorkerFaultException)
            {
                // The peer is at fault, not the worker that could not reach it.
                throw new WorkerFaultException(workers[rank], fault);
            }
        }
    }
}
