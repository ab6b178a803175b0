using System.IO.Hashing;
using System.Runtime.InteropServices;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Training.Devices;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Training.State;

/// <summary>
/// All that a step changes: parameters, Adam's moments, the Polyak average and the number of steps. Each vector is flat, so the
/// optimiser is one pass or a handful of operations, a checkpoint a copy and a hash one pass.
/// </summary>
public sealed class TrainingState : IDisposable
{
    /// <summary>What a checkpoint calls the Polyak average.</summary>
    public const string AverageName = "average";

    private readonly RunSpec _spec;

    /// <param name="device">Where the vectors are; null for the CPU.</param>
    public TrainingState(ParameterLayout layout, RunSpec spec, Device? device = null)
    {
        _spec = spec;
        using DisposeScope scope = NewDisposeScope();
        Layout = layout;
        Values = New();
        FirstMoment = New();
        SecondMoment = New();
        Average = New();
        AverageParameters = new(layout, Average);

        Tensor New() => zeros(layout.Length, device: device).DetachFromDisposeScope();
    }

    public ParameterLayout Layout { get; }

    /// <summary>Parameters [Length].</summary>
    public Tensor Values { get; }

    public Tensor FirstMoment { get; }

    public Tensor SecondMoment { get; }

    /// <summary>Polyak average of the parameters [Length]: what evaluates and samples.</summary>
    public Tensor Average { get; }

    public Parameters AverageParameters { get; }

    /// <summary>Steps that were applied.</summary>
    public long Step { get; private set; }

    /// <summary>Steps up to the newest whose gradient was not finite, counted back to the last that was.</summary>
    public int SkippedInARow { get; private set; }

    /// <summary>
    /// Images that the steps have used; the steps before a checkpoint that was taken over may have had batches of another size.
    /// </summary>
    public long Images { get; private set; }

    /// <summary>The vectors by the name that a checkpoint gives them.</summary>
    public IEnumerable<(string Name, Tensor Vector)> Vectors =>
        [("parameters", Values), (AverageName, Average), ("moment1", FirstMoment), ("moment2", SecondMoment)];

    /// <summary>Applies the gradient of a step, by whole-vector operations on the device.</summary>
    /// <param name="gradient">Sum over all images of the step [Length].</param>
    public void Apply(Tensor gradient, GradientMeasure measure, OptimiserStep step)
    {
        if (!measure.IsSkipped)
            new Adam(this, _spec, step).Apply(gradient);
        Count(measure);
    }

    /// <summary>The same on the CPU, by all threads.</summary>
    /// <param name="buckets">The gradient, one bucket after another.</param>
    public void Apply(
        IReadOnlyList<ReadOnlyMemory<float>> buckets, GradientMeasure measure, OptimiserStep step, DeviceThreads threads)
    {
        if (!measure.IsSkipped)
            new Adam(this, _spec, step).Apply(buckets, threads);
        Count(measure);
    }

    private void Count(GradientMeasure measure)
    {
        SkippedInARow = measure.SkippedInARow;
        Step++;
        Images += _spec.Optimiser.ImagesPerStep;
    }

    /// <summary>Begins at a step with vectors that were filled from outside.</summary>
    public void StartAt(long step, int skippedInARow, long images) => (Step, SkippedInARow, Images) = (step, skippedInARow, images);

    /// <summary>The vectors' bytes, one after the other, cut into slices of at most <paramref name="longest"/> bytes.</summary>
    public IEnumerable<(long Offset, int Length)> Slices(int longest)
    {
        for (long vector = 0; vector < Vectors.Count(); vector++)
        {
            for (long offset = 0; offset < VectorBytes; offset += longest)
                yield return ((vector * VectorBytes) + offset, (int)Math.Min(longest, VectorBytes - offset));
        }
    }

    /// <summary>Copies a slice's bytes.</summary>
    /// <exception cref="ArgumentException">There are no such bytes.</exception>
    public byte[] Read(long offset, int length)
    {
        using Tensor view = View(offset, length);
        byte[] copy = GC.AllocateUninitializedArray<byte>(length);
        HostBytes.Read(view, bytes => bytes.CopyTo(copy));
        return copy;
    }

    /// <summary>Fills a slice.</summary>
    /// <exception cref="ArgumentException">There are no such bytes.</exception>
    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        using Tensor view = View(offset, bytes.Length);
        HostBytes.Write(view, MemoryMarshal.Cast<byte, float>(bytes));
    }

    /// <summary>Hash of everything in here, 32 hexadecimal digits: two states are the same if and only if this is.</summary>
    public string Hash() => Hash(Step, SkippedInARow, hash =>
    {
        foreach ((_, Tensor vector) in Vectors)
            HostBytes.Read(vector, hash.Append);
    });

    /// <summary>The same of a copy, whose vectors are appended in their order.</summary>
    internal static string Hash(long step, int skippedInARow, Action<XxHash128> appendVectors)
    {
        var hash = new XxHash128();
        hash.Append(BitConverter.GetBytes(step));
        hash.Append(BitConverter.GetBytes(skippedInARow));
        appendVectors(hash);
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }

    private long VectorBytes => Layout.Length * sizeof(float);

    private Tensor View(long offset, int length)
    {
        (long vector, long first) = Math.DivRem(offset, VectorBytes);
        if (offset < 0 || length < 0 || (offset | (long)length) % sizeof(float) != 0 || vector >= Vectors.Count()
            || first + length > VectorBytes)
            throw new ArgumentException($"A state has no {length} bytes at {offset} in one of its vectors.", nameof(offset));
        return Vectors.ElementAt((int)vector).Vector.narrow(0, first / sizeof(float), length / sizeof(float));
    }

    public void Dispose()
    {
        AverageParameters.Dispose();
        foreach ((_, Tensor vector) in Vectors)
            vector.Dispose();
    }
}
