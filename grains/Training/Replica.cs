using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model;
using PixelCnnCluster.Training.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Training;

/// <summary>
/// A run's model on one device: computes the gradients of shards, applies those of steps, scores and draws. Everything it
/// computes is a function of the specification, the data and the number of steps. Its methods are called from the
/// first of the device's threads.
/// </summary>
public sealed class Replica : IReplica
{
    private readonly RunSpec spec;
    private readonly ImageData data;
    private readonly DeviceThreads threads;
    private DataOrder order;
    private readonly ShardGradients gradients;
    private readonly bool isOnGpu;

    /// <summary>Vectors [Length] for checkpoints, kept because pinning takes long; null on the CPU, where each checkpoint makes its own.</summary>
    private readonly VectorPool? snapshots;

    /// <summary>The step's gradient [Length]; null on the CPU, where it is applied from where it lies.</summary>
    private Tensor? whole;

    public Replica(RunSpec spec, ImageData data, DeviceThreads threads)
    {
        (this.spec, this.data, this.threads) = (spec, data, threads);
        Network = new(NetworkShape.From(spec, data.Train.Channels, data.Train.Size, data.Train.Classes));
        State = new(Network.Layout, spec, threads.Device);
        GradientBuckets = [(int)Network.DownPassStart, (int)(Network.Layout.Length - Network.DownPassStart)];
        order = Order();
        gradients = new(spec, Network, State.Values, threads);
        isOnGpu = threads.Device.type != DeviceType.CPU;
        snapshots = isOnGpu ? new((int)Network.Layout.Length, NewVector) : null;
    }

    public PixelCnn Network { get; }

    public TrainingState State { get; }

    public ReplicaFacts Facts => new(Network.Layout.Count, data.Train.Count, data.Test.Count, data.Train.Channels, data.Train.Size);

    public IReadOnlyList<int> GradientBuckets { get; }

    public Memory<float> NewVector(int length)
    {
        if (!isOnGpu)
            return GC.AllocateUninitializedArray<float>(length);
        using Tensor pageable = empty(length);
        return new PinnedVector(pageable.pin_memory()).Memory;
    }

    public long Step => State.Step;

    public int SkippedInARow => State.SkippedInARow;

    public long Images => State.Images;

    public IReadOnlyList<string> Start(long? newerThan, bool mustLoad)
    {
        if (newerThan is null)
            Initialise();
        List<string> refused = [];
        foreach (string path in CheckpointHeader.NewestFirst(spec.SaveDir).TakeWhile(path => CheckpointHeader.StepOf(path) > (newerThan ?? -1)))
        {
            try
            {
                Load(path);
                return refused;
            }
            catch (UserErrorException damaged) when (damaged.InnerException is not null)
            {
                refused.Add(damaged.Message);
            }
        }

        if (newerThan is not null)
            return refused;
        if (refused is [var newest, ..])
            throw new UserErrorException($"No checkpoint in {spec.SaveDir} is whole; the newest: {newest}");
        if (mustLoad)
            throw new IOException($"{spec.SaveDir} has no checkpoint, although the run has written some; see that its volume is mounted.");
        if (spec.LoadParams is { } given)
            Load(given);
        return refused;
    }

    /// <summary>Draws the parameters and lets the first images of the run set the layers' scales and biases.</summary>
    public void Initialise()
    {
        using var scope = NewDisposeScope();
        using var none = no_grad();
        Network.SampleParameters(gradients.Of(thread: 0), Seeds.Derive(spec.Seed, SeedUse.Parameters) >> 1);
        int[] first = new DataOrder(data.Train.Count, Math.Min(spec.InitBatchSize, data.Train.Count), 1, spec.Seed).ImagesOf(0, 0);
        (Tensor images, Tensor? labels) = Batch(data.Train, first);
        Network.Forward(new ForwardContext(gradients.Of(thread: 0)) { Labels = labels, Initialising = true, Seed = Seeds.Derive(spec.Seed, SeedUse.Initialisation) }, images);
        State.Average.copy_(State.Values);
        State.FirstMoment.zero_();
        State.SecondMoment.zero_();
        StartAt(0, skippedInARow: 0, images: 0);
    }

    public double[] ComputeShards(ShardRange range, AllReduceStep round)
    {
        double[] losses = new double[range.Count];
        threads.ForEach(range.Count, (thread, i) =>
        {
            round.Over.ThrowIfCancellationRequested();
            int shard = range.First + i;
            (Tensor images, Tensor? labels) = Batch(data.Train, order.ImagesOf(State.Step, shard));
            Tensor gradient = gradients.Of(thread).Gradient!;
            CudaMark? mark = threads.Mark;
            Tensor loss = gradients.Loss(
                thread, images, labels, Seeds.Derive(spec.Seed, SeedUse.Step, (ulong)State.Step, (ulong)shard),
                mark is null ? () => round.Add(part: 1, shard, Copied(part: 1)) : mark.Set);
            Memory<float> wayDown = default;
            mark?.Copy(() => wayDown = Copied(part: 1));
            Memory<float> wayUp = Copied(part: 0);
            if (mark is not null)
            {
                mark.Finish();
                round.Add(part: 1, shard, wayDown);
            }

            // A GPU's copy of the rest is done when its number comes, which waits for all work before it.
            losses[i] = loss.Value<float>();
            round.Add(part: 0, shard, wayUp);

            Memory<float> Copied(int part)
            {
                Memory<float> copy = round.Rent(part);
                using Tensor view = PartOf(gradient, part);
                view.CopyTo(copy);
                return copy;
            }
        });
        return losses;
    }

    /// <remarks>A gradient that is not finite leaves the vectors and counts the step.</remarks>
    public void Apply(IReadOnlyList<ReadOnlyMemory<float>> gradient, Action<double> measured)
    {
        if (!isOnGpu)
        {
            bool isFinite = Measure(Adam.SumOfSquares(gradient));
            State.Apply(isFinite ? gradient : null, threads);
            return;
        }

        using var scope = NewDisposeScope();
        whole ??= zeros_like(State.Values).DetachFromDisposeScope();
        for (int part = 0; part < gradient.Count; part++)
        {
            using Tensor view = PartOf(whole, part);
            view.CopyFrom(gradient[part]);
        }

        State.Apply(Measure(whole.Squared().sum(ScalarType.Float64).Value<double>()) ? whole : null);

        bool Measure(double sumOfSquares)
        {
            measured(Math.Sqrt(sumOfSquares));
            return double.IsFinite(sumOfSquares);
        }
    }

    public double[] Evaluate(int firstBatch, int endBatch)
    {
        Objective objective = spec.Objective == Objective.EnergyDistance ? spec.Objective : Objective.Likelihood;
        double[] losses = new double[endBatch - firstBatch];
        threads.ForEach(losses.Length, (_, i) =>
        {
            using var none = no_grad();
            int first = (firstBatch + i) * spec.BatchSize;
            (Tensor images, Tensor? labels) = Batch(data.Test, [.. Enumerable.Range(first, Math.Min(spec.BatchSize, data.Test.Count - first))]);
            var pass = new ForwardContext(State.AverageParameters) { Labels = labels, Seed = Seeds.Derive(spec.Seed, SeedUse.Evaluation, (ulong)first) };
            losses[i] = Losses.Sum(objective, Network.Forward(pass, images), images, spec.FocalGamma).Value<float>();
        });
        return losses;
    }

    /// <remarks>Classes take turns.</remarks>
    public byte[] Sample(int first, int end)
    {
        using var drawing = new ImageSampling(Network, State.AverageParameters, threads, first, end, spec.Seed, i => i % Network.Shape.Classes);
        return drawing.SampleAll();
    }

    private void Load(string path)
    {
        Checkpoint.Read(path).Fill(State, path);
        // Whoever asks for a run's checkpoint has mended what made its gradients run out of the numbers.
        if (spec.LoadParams is { } given && Path.GetFullPath(given) == Path.GetFullPath(path))
            State.StartAt(Step, skippedInARow: 0, State.Images);
        Follow();
    }

    public string Hash() => State.Hash();

    public IEnumerable<(long Offset, int Length)> StateSlices(int longest) => State.Slices(longest);

    public byte[] ReadState(long offset, int length) => State.Read(offset, length);

    public void WriteState(long offset, ReadOnlySpan<byte> bytes) => State.Write(offset, bytes);

    public void StartAt(long step, int skippedInARow, long images)
    {
        State.StartAt(step, skippedInARow, images);
        Follow();
    }

    public Func<CheckpointResponse> Snapshot(string run, double? testBitsPerDim)
    {
        var copy = Checkpoint.Of(State, Network.Shape, run, spec, testBitsPerDim, (double)State.Images / data.Train.Count, snapshots);
        return () =>
        {
            using (copy)
            {
                RunFolder.Require(spec.SaveDir);
                return CheckpointFolder.Save(copy, spec.SaveDir, spec.KeepCheckpoints);
            }
        };
    }

    public void Dispose()
    {
        gradients.Dispose();
        whole?.Dispose();
        State.Dispose();
    }

    /// <summary>The images go on where those of the state end.</summary>
    private void Follow() => order = Order();

    private DataOrder Order() => new(data.Train.Count, spec.BatchSize, spec.Shards, spec.Seed, State.Step, State.Images);

    private Tensor PartOf(Tensor gradient, int part) => gradient.narrow(0, GradientBuckets.Take(part).Sum(), GradientBuckets[part]);

    /// <summary>Images [N, C, H, W] in [-1, 1], and their int64 labels [N] where the network is conditioned on them.</summary>
    private (Tensor Images, Tensor? Labels) Batch(ImageSet set, int[] positions)
    {
        Tensor images = set.ToTensor(positions, threads.Device);
        Tensor? labels = Network.Shape.Classes == 0 ? null : tensor(positions.Select(p => (long)set.Label(p)).ToArray()).MovedTo(threads.Device);
        return (images, labels);
    }
}
