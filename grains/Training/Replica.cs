using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;
using PixelCnnCluster.Files;
using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Kernels.Gpu;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Objectives;
using PixelCnnCluster.Model.Tensors;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Training.Data;
using PixelCnnCluster.Training.Devices;
using PixelCnnCluster.Training.History;
using PixelCnnCluster.Training.State;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Training;

/// <summary>
/// A run's model on one device: computes the gradients of shards, applies those of steps, scores and samples. Everything it
/// computes is a function of the specification, the data and the number of steps. Its methods are called from the
/// first of the device's threads.
/// </summary>
public sealed class Replica : IReplica
{
    private readonly RunSpec _spec;
    private readonly ImageData _data;
    private readonly DeviceThreads _threads;
    private DataOrder _order;
    private readonly ShardGradients _gradients;
    private readonly bool _isOnGpu;

    /// <summary>
    /// Vectors [Length] for checkpoints, kept because pinning takes long; null on the CPU, where each checkpoint makes its own.
    /// </summary>
    private readonly VectorPool? _snapshots;

    /// <summary>The step's gradient [Length]; null on the CPU, where it is applied from where it lies.</summary>
    private Tensor? _whole;

    public Replica(RunSpec spec, ImageData data, DeviceThreads threads)
    {
        (_spec, _data, _threads) = (spec, data, threads);
        Network = new(NetworkShape.From(spec, data.Train.Channels, data.Train.Size, data.Train.Classes));
        State = new(Network.Layout, spec, threads.Device);
        GradientBuckets = [(int)Network.DownPassStart, (int)(Network.Layout.Length - Network.DownPassStart)];
        _order = Order();
        _gradients = new(spec, Network, State.Values, threads);
        _isOnGpu = threads.Device.type != DeviceType.CPU;
        _snapshots = _isOnGpu ? new((int)Network.Layout.Length, NewVector) : null;
    }

    public PixelCnn Network { get; }

    public TrainingState State { get; }

    public ReplicaFacts Facts => new(Network.Layout.Count, _data.Train.Count, _data.Test.Count, _data.Train.Channels, _data.Train.Size)
    {
        Data = _data.Fingerprint,
        // A backward pass takes twice the products of a forward pass.
        FlopsPerImage = 3.0 * Network.ForwardOperations,
    };

    public IReadOnlyList<int> GradientBuckets { get; }

    public Memory<float> NewVector(int length)
    {
        if (!_isOnGpu)
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
        foreach (string path in CheckpointHeader.NewestFirst(_spec.Output.SaveDir).TakeWhile(
            path => CheckpointHeader.StepOf(path) > (newerThan ?? -1)))
        {
            if (CheckpointHeader.HasDiverged(path))
            {
                refused.Add($"{path} has diverged, so an earlier checkpoint is taken.");
                continue;
            }

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
            throw new UserErrorException($"No checkpoint in {_spec.Output.SaveDir} is whole; the newest: {newest}");
        if (mustLoad)
            throw new IOException(
                $"{_spec.Output.SaveDir} has no checkpoint, although the run has written some; see that its volume is mounted.");
        if (_spec.Output.LoadParams is { } given)
            Load(given);
        return refused;
    }

    /// <summary>Samples the parameters and lets the first images of the run set the layers' scales and biases.</summary>
    public void Initialise()
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable none = no_grad();
        Network.SampleParameters(_gradients.Of(thread: 0), Seeds.Derive(_spec.Optimiser.Seed, SeedUse.Parameters) >> 1);
        int[] first = new DataOrder(
            _data.Train.Count, Math.Min(_spec.Optimiser.InitBatchSize, _data.Train.Count), 1, _spec.Optimiser.Seed).ImagesOf(0, 0);
        (Tensor images, Tensor? labels) = Batch(_data.Train, first);
        Network.Forward(
            new ForwardContext(_gradients.Of(thread: 0))
            {
                Labels = labels,
                Initialising = true,
                Seed = Seeds.Derive(_spec.Optimiser.Seed, SeedUse.Initialisation)
            }, images);
        State.Average.copy_(State.Values);
        State.FirstMoment.zero_();
        State.SecondMoment.zero_();
        StartAt(0, skippedInARow: 0, images: 0);
    }

    public double[] ComputeShards(ShardRange range, AllReduceStep step)
    {
        double[] losses = new double[range.Count];
        _threads.ForEach(range.Count, (thread, i) =>
        {
            step.Over.ThrowIfCancellationRequested();
            int shard = range.First + i;
            (Tensor images, Tensor? labels) = Batch(_data.Train, _order.ImagesOf(State.Step, shard));
            Tensor gradient = _gradients.Of(thread).Gradient!;
            CudaMark? mark = _threads.Mark;
            Tensor loss = _gradients.Loss(
                thread, images, labels, Seeds.Derive(_spec.Optimiser.Seed, SeedUse.Step, (ulong)State.Step, (ulong)shard),
                mark is null ? () => step.Add(part: 1, shard, Copied(part: 1)) : mark.Set);
            Memory<float> downPass = default;
            mark?.Copy(() => downPass = Copied(part: 1));
            Memory<float> upPass = Copied(part: 0);
            if (mark is not null)
            {
                mark.Finish();
                step.Add(part: 1, shard, downPass);
            }

            // A GPU's copy of the rest is done when its number comes, which waits for all work before it.
            losses[i] = loss.Value<float>();
            step.Add(part: 0, shard, upPass);

            Memory<float> Copied(int part)
            {
                Memory<float> copy = step.Rent(part);
                using Tensor view = PartOf(gradient, part);
                view.CopyTo(copy);
                return copy;
            }
        });
        return losses;
    }

    public GradientMeasure Measure(IReadOnlyList<ReadOnlyMemory<float>> gradient)
    {
        return GradientMeasure.Of(Math.Sqrt(_isOnGpu ? OnGpu() : Adam.SumOfSquares(gradient)), SkippedInARow);

        double OnGpu()
        {
            using DisposeScope scope = NewDisposeScope();
            _whole ??= zeros_like(State.Values).DetachFromDisposeScope();
            for (int part = 0; part < gradient.Count; part++)
            {
                using Tensor view = PartOf(_whole, part);
                view.CopyFrom(gradient[part]);
            }

            return _whole.Squared().sum(ScalarType.Float64).Value<double>();
        }
    }

    /// <remarks>A GPU has the gradient since it was measured.</remarks>
    public void Apply(IReadOnlyList<ReadOnlyMemory<float>> gradient, GradientMeasure measure)
    {
        var step = OptimiserStep.Of(
            _spec, Step, _order.TotalSteps(_spec),
            measure.Norm / _spec.Optimiser.DimensionsPerStep(_data.Train.Channels, _data.Train.Size));
        if (_isOnGpu)
            State.Apply(_whole!, measure, step);
        else
            State.Apply(gradient, measure, step, _threads);
    }

    public double[] Evaluate(int firstBatch, int endBatch)
    {
        int batches = (_data.Test.Count + _spec.Optimiser.BatchSize - 1) / _spec.Optimiser.BatchSize;
        if (firstBatch < 0 || endBatch < firstBatch || endBatch > batches)
            throw new ArgumentException($"There are no test batches {firstBatch} up to {endBatch} of {batches}.", nameof(endBatch));
        Objective objective = _spec.Model.Objective == Objective.EnergyDistance ? _spec.Model.Objective : Objective.Likelihood;
        double[] losses = new double[endBatch - firstBatch];
        _threads.ForEach(losses.Length, (_, i) =>
        {
            using IDisposable none = no_grad();
            int first = (firstBatch + i) * _spec.Optimiser.BatchSize;
            (Tensor images, Tensor? labels) = Batch(
                _data.Test, [.. Enumerable.Range(first, Math.Min(_spec.Optimiser.BatchSize, _data.Test.Count - first))]);
            var context = new ForwardContext(State.AverageParameters)
            {
                Labels = labels,
                Seed = Seeds.Derive(_spec.Optimiser.Seed, SeedUse.Evaluation, (ulong)first)
            };
            losses[i] = Losses.Sum(objective, Network.Forward(context, images), images, _spec.Model.FocalGamma).Value<float>();
        });
        return losses;
    }

    /// <remarks>Classes take turns.</remarks>
    public byte[] Sample(int first, int end)
    {
        if (first < 0 || end < first || end - first > JobValidation.MostAtOnce)
            throw new ArgumentException($"Images {first} up to {end} cannot be sampled at once.", nameof(end));
        using var sampling = new ImageSampling(
            Network, State.AverageParameters, _threads, new(first, end, _spec.Optimiser.Seed, i => i % Network.Shape.Classes));
        return sampling.SampleAll();
    }

    private void Load(string path)
    {
        using var checkpoint = Checkpoint.Read(path);
        if (checkpoint.DataFingerprint is { } before && before != _data.Fingerprint && checkpoint.Spec.Data.DataSet == _spec.Data.DataSet
            && !_spec.Data.AcceptDataChange)
        {
            throw new UserErrorException(
                $"--data-dir {_spec.Data.DataDir} is not what {path} was trained on: {_data.Fingerprint} in place of " +
                $"{before}. Give the same " +
                $"images, or --accept-data-change to train on with these.");
        }

        checkpoint.Fill(State, path);
        // Whoever asks for a run's checkpoint has mended what made its gradients run out of the numbers.
        if (_spec.Output.LoadParams is { } given && Path.GetFullPath(given) == Path.GetFullPath(path))
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
        var copy = Checkpoint.Of(
            State, Network.Shape, run, _spec, new(testBitsPerDim, (double)State.Images / _data.Train.Count, _data.Fingerprint), _snapshots);
        return () =>
        {
            using (copy)
            {
                RunFolder.Require(_spec.Output.SaveDir);
                return CheckpointFolder.Save(copy, _spec.Output.SaveDir, _spec.Output.KeepCheckpoints);
            }
        };
    }

    public void Dispose()
    {
        _gradients.Dispose();
        _whole?.Dispose();
        State.Dispose();
    }

    /// <summary>The images go on where those of the state end.</summary>
    private void Follow() => _order = Order();

    private DataOrder Order() =>
        new(_data.Train.Count, _spec.Optimiser.BatchSize, _spec.Optimiser.Shards, _spec.Optimiser.Seed, State.Step, State.Images);

    private Tensor PartOf(Tensor gradient, int part) => gradient.narrow(0, GradientBuckets.Take(part).Sum(), GradientBuckets[part]);

    /// <summary>Images [N, C, H, W] in [-1, 1], and their int64 labels [N] where the network is conditioned on them.</summary>
    private (Tensor Images, Tensor? Labels) Batch(ImageSet set, int[] positions)
    {
        var images = set.ToTensor(positions, _threads.Device);
        Tensor? labels = Network.Shape.Classes == 0 ? null
            : tensor(positions.Select(p => (long)set.Label(p)).ToArray()).MovedTo(_threads.Device);
        return (images, labels);
    }
}
