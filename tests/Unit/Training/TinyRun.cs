using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Training.Data;
using PixelCnnCluster.Training.Devices;
using PixelCnnCluster.Training.State;

namespace PixelCnnCluster.Unit.Tests.Training;

/// <summary>A run of a few filters on a few images of 8 x 8, with its device threads and its replica.</summary>
internal sealed class TinyRun : IDisposable
{
    private readonly DeviceThreads _threads;

    private TinyRun(RunSpec spec, ImageData data, int threadCount)
    {
        Spec = spec;
        _threads = new(threadCount);
        Replica = On(() => new Replica(spec, data, _threads));
        On(Replica.Initialise);
    }

    public static RunSpec Small { get; } = new()
    {
        Data = new() { DataSet = DataSet.Digits },
        Model = new() { Blocks = 1, Filters = 4, Mixtures = 2, Dropout = 0.5 },
        Optimiser = new() { BatchSize = 2, InitBatchSize = 8, Shards = 4, PolyakDecay = 0.9 },
        Schedule = new() { LearningRate = 0.003, LearningRateDecay = 0.99 },
    };

    public RunSpec Spec { get; }

    public Replica Replica { get; }

    public string Hash => On(Replica.State.Hash);

    public static TinyRun Start(RunSpec spec, int threads = 1, int channels = 1) => new(spec, Images(channels), threads);

    public static TinyRun Start(RunSpec spec, ImageData data) => new(spec, data, 1);

    /// <summary>Random images of two classes.</summary>
    public static ImageData Images(int channels, int size = 8)
    {
        var random = new Random(5);
        return new(Set(40), Set(9));

        ImageSet Set(int count)
        {
            var builder = new ImageSetBuilder(channels, size, classes: 2);
            for (int i = 0; i < count; i++)
                random.NextBytes(builder.Add(i % 2));
            return builder.Build();
        }
    }

    /// <summary>The digits in a border of black, at a lower resolution.</summary>
    /// <param name="size">Divides 32.</param>
    public static ImageData Digits(int size)
    {
        const int Side = 28, Border = 2;
        int block = (Side + (2 * Border)) / size;
        ImageData digits = ImageDataSets.Load(DataSet.Digits, "", 0);
        return new(Smaller(digits.Train), Smaller(digits.Test));

        ImageSet Smaller(ImageSet set)
        {
            var builder = new ImageSetBuilder(channels: 1, size, set.Classes);
            int[] sums = new int[size * size];
            for (int i = 0; i < set.Count; i++)
            {
                Array.Clear(sums);
                foreach ((int pixel, byte value) in set.Image(i).ToArray().Index())
                    sums[(((pixel / Side) + Border) / block * size) + (((pixel % Side) + Border) / block)] += value;
                Array.ConvertAll(sums, sum => (byte)(sum / (block * block))).CopyTo(builder.Add(set.Label(i)));
            }

            return builder.Build();
        }
    }

    /// <summary>Does the work on the device's first thread.</summary>
    public T On<T>(Func<T> work) => _threads.RunAsync(work).GetAwaiter().GetResult();

    public void On(Action work) => On(() =>
    {
        work();
        return 0;
    });

    /// <summary>Steps that one worker computes alone.</summary>
    /// <returns>Mean loss per image of each step.</returns>
    public double[] Steps(int count)
    {
        var alone = new GradientExchange(new(Spec.Optimiser.Shards), WorkerRank.Alone, Replica.GradientBuckets, Spec.Compute.Wire);
        return [.. Enumerable.Range(0, count).Select(_ => On(() =>
        {
            AllReduceStep step = alone.Begin(Replica.Step);
            double[] losses = Replica.ComputeShards(alone.Share, step);
            Assert.True(step.Whole.IsCompletedSuccessfully);
            Replica.Apply(step.Whole.Result, Replica.Measure(step.Whole.Result));
            return losses.Sum() / Spec.Optimiser.ImagesPerStep;
        }))];
    }

    /// <summary>Measures a whole gradient and applies it.</summary>
    public GradientMeasure Apply(float[] gradient) => On(() =>
    {
        GradientMeasure measure = Replica.Measure(Parts(gradient));
        Replica.Apply(Parts(gradient), measure);
        return measure;
    });

    /// <summary>A whole gradient as a step brings it.</summary>
    public IReadOnlyList<ReadOnlyMemory<float>> Parts(float[] gradient) =>
        [.. Replica.GradientBuckets.Select(
            (length, part) => (ReadOnlyMemory<float>)gradient.AsMemory(Replica.GradientBuckets.Take(part).Sum(), length))];

    public Checkpoint Checkpoint(double? score = null) =>
        On(() => PixelCnnCluster.Training.Checkpoints.Checkpoint.Of(Replica.State, Replica.Network.Shape, "run", Spec, new(score)));

    public void Dispose()
    {
        On(Replica.Dispose);
        _threads.Dispose();
    }
}
