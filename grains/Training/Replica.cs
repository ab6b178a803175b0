using System.Runtime.InteropServices;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Sampling;
using PixelCnnCluster.Training.Data;
using static TorchSharp.torch;

namespace PixelCnnCluster.Training;

/// <summary>
/// A run's model on one device: computes the gradients of shards, applies committed steps, scores and draws. Everything it
/// computes is a function of the specification, the data and the number of committed steps. Its methods are called from the
/// first of the device's threads.
/// </summary>
public sealed class Replica : IDisposable
{
    private readonly RunSpec spec;
    private readonly ImageData data;
    private readonly DeviceThreads threads;
    private readonly DataOrder order;
    private readonly Parameters?[] parameters;
    private Tensor? held;
    private long heldStep = -1;
    private double heldNorm;

    public Replica(RunSpec spec, ImageData data, DeviceThreads threads)
    {
        (this.spec, this.data, this.threads) = (spec, data, threads);
        Network = new(NetworkShape.From(spec, data.Train.Channels, data.Train.Size, data.Train.Classes));
        State = new(Network.Layout, spec);
        Tree = new(spec.Shards);
        order = new(data.Train.Count, spec.BatchSize, spec.Shards, spec.Seed);
        parameters = new Parameters?[threads.Count];
    }

    public PixelCnn Network { get; }

    public TrainingState State { get; }

    public ReductionTree Tree { get; }

    public int TestBatches => (data.Test.Count + spec.BatchSize - 1) / spec.BatchSize;

    /// <summary>Draws the parameters and lets the first images of the run set the layers' scales and biases.</summary>
    public void Initialise()
    {
        using var scope = NewDisposeScope();
        using var none = no_grad();
        Network.DrawParameters(ParametersOf(thread: 0), Seeds.Derive(spec.Seed, SeedUse.Parameters) >> 1);
        int[] first = new DataOrder(data.Train.Count, Math.Min(spec.InitBatchSize, data.Train.Count), 1, spec.Seed).ImagesOf(0, 0);
        (Tensor images, Tensor? labels) = Batch(data.Train, first);
        Network.Forward(new Pass(ParametersOf(thread: 0)) { Labels = labels, Initialising = true, Seed = Seeds.Derive(spec.Seed, SeedUse.Initialisation) }, images);
        State.Average.copy_(State.Values);
    }

    /// <summary>
    /// Loss of each shard of a range, summed over its images, and the sums of their gradients along the tree.
    /// </summary>
    public (double[] Losses, TreeSum Gradients) ComputeShards(ShardRange range)
    {
        double[] losses = new double[range.Count];
        var gradients = new TreeSum(Tree);
        threads.ForEach(range.Count, (thread, i) =>
        {
            int shard = range.First + i;
            (Tensor images, Tensor? labels) = Batch(data.Train, order.ImagesOf(State.Step, shard));
            Parameters own = ParametersOf(thread);
            Tensor gradient = own.Gradient!;
            gradient.zero_();
            var pass = new Pass(own)
            {
                Labels = labels,
                Dropout = true,
                Seed = Seeds.Derive(spec.Seed, SeedUse.Step, (ulong)State.Step, (ulong)shard),
            };
            Tensor loss = Losses.Sum(spec.Objective, Network.Forward(pass, images), images, spec.FocalGamma);
            loss.backward();
            losses[i] = loss.Value<float>();
            float[] copy = GC.AllocateUninitializedArray<float>((int)Network.Layout.Length);
            HostBytes.Read(gradient, bytes => bytes.CopyTo(MemoryMarshal.AsBytes(copy.AsSpan())));
            gradients.Add(new(shard, shard + 1), copy);
        });
        return (losses, gradients);
    }

    /// <summary>Keeps the whole gradient of the step in progress until the step is committed.</summary>
    /// <returns>The gradient's Euclidean norm; not finite if any part of the gradient is not.</returns>
    public double Hold(float[] gradient)
    {
        held ??= zeros_like(State.Values).DetachFromDisposeScope();
        HostBytes.Write(held, gradient);
        heldStep = State.Step;
        heldNorm = Math.Sqrt(held.Squared().sum(ScalarType.Float64).Value<double>());
        return heldNorm;
    }

    /// <summary>
    /// Brings the state to a number of committed steps: applies the gradient that is held if the commit is that of its step.
    /// A gradient that is not finite leaves the vectors and counts the step.
    /// </summary>
    /// <exception cref="InvalidOperationException">The state cannot get there with what it holds.</exception>
    public void AdvanceTo(long step)
    {
        if (State.Step == step)
            return;
        if (State.Step != step - 1 || heldStep != State.Step)
            throw new InvalidOperationException($"The replica is at step {State.Step} and cannot follow a commit of step {step}.");
        State.Apply(double.IsFinite(heldNorm) ? held : null);
    }

    /// <summary>Loss of each test batch of a range with the Polyak average, summed over its images; nats, or the energy distance.</summary>
    public double[] Evaluate(int firstBatch, int endBatch)
    {
        Objective objective = spec.Objective == Objective.EnergyDistance ? spec.Objective : Objective.Likelihood;
        double[] losses = new double[endBatch - firstBatch];
        threads.ForEach(losses.Length, (_, i) =>
        {
            using var none = no_grad();
            int first = (firstBatch + i) * spec.BatchSize;
            (Tensor images, Tensor? labels) = Batch(data.Test, [.. Enumerable.Range(first, Math.Min(spec.BatchSize, data.Test.Count - first))]);
            var pass = new Pass(State.AverageParameters) { Labels = labels, Seed = Seeds.Derive(spec.Seed, SeedUse.Evaluation, (ulong)first) };
            losses[i] = Losses.Sum(objective, Network.Forward(pass, images), images, spec.FocalGamma).Value<float>();
        });
        return losses;
    }

    /// <summary>Draws images number [first, end) of a series with the Polyak average; classes take turns.</summary>
    /// <returns>[end - first, C, H, W] bytes.</returns>
    public byte[] Sample(int first, int end)
    {
        int imageBytes = Network.Shape.Channels * Network.Shape.Size * Network.Shape.Size;
        byte[] pixels = new byte[(end - first) * imageBytes];
        int parts = Math.Min(threads.Count, end - first);
        threads.ForEach(parts, (_, part) =>
        {
            int from = first + ((end - first) * part / parts), to = first + ((end - first) * (part + 1) / parts);
            ulong[] seeds = [.. Enumerable.Range(from, to - from).Select(i => Seeds.Derive(spec.Seed, SeedUse.Samples, (ulong)i))];
            int classes = Network.Shape.Classes;
            Tensor? labels = classes == 0 ? null : tensor(Enumerable.Range(from, to - from).Select(i => (long)(i % classes)).ToArray());
            using Tensor images = PixelSampler.Draw(Network, State.AverageParameters, labels, seeds);
            images.bytes.CopyTo(pixels.AsSpan((from - first) * imageBytes));
        });
        return pixels;
    }

    public void Dispose()
    {
        foreach (Parameters each in parameters.OfType<Parameters>())
        {
            each.Dispose();
            each.Gradient!.Dispose();
        }

        held?.Dispose();
        State.Dispose();
    }

    /// <summary>The parameters with a gradient vector of the thread's own, made when the thread first computes.</summary>
    private Parameters ParametersOf(int thread) => parameters[thread] ??=
        new(Network.Layout, State.Values, zeros(Network.Layout.Length).DetachFromDisposeScope());

    /// <summary>Images [N, C, H, W] in [-1, 1], and their int64 labels [N] where the network is conditioned on them.</summary>
    private (Tensor Images, Tensor? Labels) Batch(ImageSet set, int[] positions)
    {
        int imageBytes = set.Channels * set.Size * set.Size;
        byte[] pixels = new byte[positions.Length * imageBytes];
        for (int i = 0; i < positions.Length; i++)
            set.Image(positions[i]).CopyTo(pixels.AsSpan(i * imageBytes));
        Tensor images = ImageScaling.FromBytes(tensor(pixels, [positions.Length, set.Channels, set.Size, set.Size], ScalarType.Byte));
        Tensor? labels = Network.Shape.Classes == 0 ? null : tensor(positions.Select(p => (long)set.Label(p)).ToArray());
        return (images, labels);
    }
}
