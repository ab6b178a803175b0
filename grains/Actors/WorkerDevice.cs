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
    private (Checkpoint Checkpoint, string Path, int Keep)? snapshot;

    /// <summary>
    /// Joins a generation: a replica of the run that is here already is kept, else one is built from the specification.
    /// </summary>
    /// <exception cref="UserErrorException">The data set or the checkpoint cannot be used.</exception>
    public async Task<JoinReport> JoinAsync(string worker, GenerationOrder order)
    {
        if (membership is { } current && current.Order.Run == order.Run && current.Order.Generation >= order.Generation)
            throw new StaleOrderException($"{worker} is in generation {current.Order.Generation} of run {order.Run}; generation {order.Generation} is over.");

        Replica replica = await threads.RunAsync(() =>
        {
            if (membership?.Order.Run == order.Run)
                return membership.Replica;
            membership?.Replica.Dispose();
            membership = null;
            return Build(order.Spec);
        });
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
            return replica.ComputeShards(replica.Tree.ShareOf(member.Rank, member.Order.Workers.Count));
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
    public async Task SnapshotAsync(CheckpointOrder order) => snapshot = await AtStepAsync(order.Run, order.Generation, order.Step, member =>
    {
        RunSpec spec = member.Order.Spec;
        return (Checkpoint.Of(member.Replica.State, order.Run, spec, order.TestBitsPerDim), CheckpointFolder.PathOf(spec.SaveDir, order.Step), spec.KeepCheckpoints);
    });

    public Task<CheckpointReport> WriteSnapshotAsync()
    {
        (Checkpoint checkpoint, string path, int keep) = snapshot ?? throw new InvalidOperationException("There is no snapshot to write.");
        snapshot = null;
        return Task.Factory.StartNew(
            () =>
            {
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                var report = new CheckpointReport(path, checkpoint.Write(path), checkpoint.StateHash);
                CheckpointFolder.Prune(Path.GetDirectoryName(path)!, keep);
                return report;
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    public async Task LeaveAsync(string run)
    {
        if (membership is not { } left || left.Order.Run != run)
            return;
        membership = null;
        left.Exchange.Abandon();
        await threads.RunAsync(() =>
        {
            left.Replica.Dispose();
            return true;
        });
    }

    private Replica Build(RunSpec spec)
    {
        string key = $"{spec.DataSet} {spec.DataDir} {spec.ImageSize}";
        if (loaded?.Key != key)
            loaded = (key, ImageDataSets.Load(spec.DataSet, spec.DataDir, spec.ImageSize));
        ImageData data = loaded.Value.Data;
        if (spec.ClassConditional && data.Train.Classes == 0)
            throw new UserErrorException("--class-conditional needs labels, which this data set has not; leave it out or give images in class folders.");
        var replica = new Replica(spec, data, threads);
        replica.Initialise();
        if (spec.LoadParams is { } path)
            Checkpoint.Read(path).Fill(replica.State, path);
        return replica;
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
        public Task SendAsync(int rank, GradientChunk chunk) => grains.GetGrain<IWorkerGrain>(workers[rank]).DeliverAsync(chunk);
    }
}
