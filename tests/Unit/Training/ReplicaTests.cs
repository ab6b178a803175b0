using System.IO.Hashing;
using System.Text;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Training.Data;
using PixelCnnCluster.Training.Devices;
using PixelCnnCluster.Training.State;
using PixelCnnCluster.Unit.Tests.Data;

namespace PixelCnnCluster.Unit.Tests.Training;

/// <summary>The parameters after step t are a function of the specification and t alone, and they get better.</summary>
public sealed class ReplicaTests
{
    private const int Steps = 2;

    private static readonly Lazy<string> HashOfOneWorker = new(() =>
    {
        using var run = TinyRun.Start(TinyRun.Small);
        run.Steps(Steps);
        return run.Hash;
    });

    [Fact]
    public void Bits_per_dim_of_the_digits_fall()
    {
        const int Size = 16;
        using var run = TinyRun.Start(
            TinyRun.Small with
            {
                Model = TinyRun.Small.Model with { Dropout = 0 },
                Optimiser = TinyRun.Small.Optimiser with { BatchSize = 8, Shards = 1, InitBatchSize = 16 },
                Schedule = TinyRun.Small.Schedule with { LearningRate = 0.02 },
            }, TinyRun.Digits(Size));
        double BitsPerDim()
        {
            const int Batches = 3;
            return run.On(() => run.Replica.Evaluate(0, Batches))
                .Sum() / (Batches * run.Spec.Optimiser.BatchSize * Size * Size * Math.Log(2));
        }

        double before = BitsPerDim();
        run.Steps(30);
        double after = BitsPerDim();
        Assert.InRange(after, 0, before * 2 / 3);
        Assert.InRange(after, 0.5, 3);
    }

    [Theory]
    [InlineData(Objective.Likelihood, 3, false, false, false)]
    [InlineData(Objective.Likelihood, 1, true, true, true)]
    [InlineData(Objective.Focal, 3, true, false, true)]
    [InlineData(Objective.EnergyDistance, 3, true, true, true)]
    public void Every_option_trains_scores_and_samples(Objective objective, int channels, bool classes, bool coordinates, bool nonLocal)
    {
        RunSpec spec =
            TinyRun.Small with
            {
                Model = TinyRun.Small.Model with
                {
                    Objective = objective,
                    ClassConditional = classes,
                    CoordinateChannels = coordinates,
                    NonLocal = nonLocal
                },
                Optimiser = TinyRun.Small.Optimiser with { Shards = 2 },
            };
        using var run = TinyRun.Start(spec, threads: 2, channels);
        Assert.All(run.Steps(2), loss => Assert.True(double.IsFinite(loss)));
        Assert.All(
            run.On(() => run.Replica.Evaluate(
                0, ((run.Replica.Facts.TestImages + TinyRun.Small.Optimiser.BatchSize - 1) / TinyRun.Small.Optimiser.BatchSize))),
                loss => Assert.True(double.IsFinite(loss)));
        byte[] images = run.On(() => run.Replica.Sample(0, 2));
        Assert.Equal(2 * channels * 64, images.Length);
        Assert.Equal(images[(channels * 64)..], run.On(() => run.Replica.Sample(1, 2)));
        using var same = TinyRun.Start(spec, threads: 1, channels);
        same.Steps(2);
        Assert.Equal(run.Hash, same.Hash);
    }

    [Fact]
    public void A_run_that_needs_more_memory_than_there_is_is_refused_before_it_is_allocated()
    {
        using var threads = new DeviceThreads(1);
        var replicas = new Replicas(threads, new DataSets(), AllowedFolders.All, memory: 300_000_000);
        RunSpec spec = TinyRun.Small with { Data = new() { DataSet = DataSet.Digits } };

        Assert.Contains("--batch-size", Assert.Throws<UserErrorException>(() => replicas.Build(spec)).Message, StringComparison.Ordinal);
        replicas.Load(spec with { Compute = spec.Compute with { IgnoreMemory = true } });
    }

    /// <summary>Workers are asked by whoever is a member.</summary>
    [Fact]
    public void What_is_wrong_with_a_specification_is_told_before_anything_is_built_of_it()
    {
        using var threads = new DeviceThreads(1);
        var replicas = new Replicas(threads, new DataSets(), AllowedFolders.All, long.MaxValue);
        string message = Assert.Throws<UserErrorException>(
            () => replicas.Load(TinyRun.Small with
            {
                Model = TinyRun.Small.Model with { Filters = 1 << 20 },
                Optimiser = TinyRun.Small.Optimiser with { Shards = 0 },
            })).Message;
        Assert.All(["--nr-filters", "--shards", "--workers"], flag => Assert.Contains(flag, message, StringComparison.Ordinal));
    }

    [Fact]
    public void Resuming_equals_never_having_stopped()
    {
        using var folder = new TempFolder();
        string path = Path.Combine(folder.Path, "one.safetensors");
        using TinyRun whole = TinyRun.Start(TinyRun.Small), half = TinyRun.Start(TinyRun.Small), resumed = TinyRun.Start(TinyRun.Small);
        whole.Steps(3);
        half.Steps(2);
        half.Checkpoint().Write(path);
        resumed.On(() => Checkpoint.Read(path).Fill(resumed.Replica.State, path));
        resumed.Steps(1);
        Assert.Equal(whole.Hash, resumed.Hash);
        Assert.NotEqual(half.Hash, resumed.Hash);
    }

    [Fact]
    public void Going_on_with_other_images_is_refused_unless_it_is_accepted()
    {
        using var folder = new TempFolder();
        string path = Path.Combine(folder.Path, "given.safetensors");
        using var given = TinyRun.Start(TinyRun.Small);
        PixelCnnCluster.Training.Checkpoints.Checkpoint.Of(
            given.Replica.State, given.Replica.Network.Shape, "run", TinyRun.Small, new(Data: "18 + 2 images of 8x8x1, abc")).Write(path);
        RunSpec spec = TinyRun.Small with { Output = TinyRun.Small.Output with { LoadParams = path, SaveDir = folder.Path } };

        using var refused = TinyRun.Start(spec);
        string message = Assert.Throws<UserErrorException>(
            () => refused.On(() => refused.Replica.Start(newerThan: null, mustLoad: false))).Message;
        Assert.Contains("in place of 18 + 2 images of 8x8x1, abc", message, StringComparison.Ordinal);
        Assert.Contains("--accept-data-change", message, StringComparison.Ordinal);

        using var accepted = TinyRun.Start(spec with { Data = spec.Data with { AcceptDataChange = true } });
        accepted.On(() => accepted.Replica.Start(newerThan: null, mustLoad: false));
        Assert.Equal(given.Replica.Step, accepted.Replica.Step);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Resuming_with_another_batch_goes_on_behind_the_images_that_were_used(bool isOfAnOlderVersion)
    {
        using var folder = new TempFolder();
        string path = Path.Combine(folder.Path, "given.safetensors");
        using var given = TinyRun.Start(TinyRun.Small);
        given.Steps(3);
        given.Checkpoint().Write(path);
        if (isOfAnOlderVersion)
            RemoveImages(path);

        using var wider = TinyRun.Start(TinyRun.Small with
        {
            Optimiser = TinyRun.Small.Optimiser with { BatchSize = 3, Shards = 5 },
            Output = TinyRun.Small.Output with { LoadParams = path, SaveDir = folder.Path },
        });
        wider.On(() => wider.Replica.Start(newerThan: null, mustLoad: false));
        Assert.Equal((3L, 24L), (wider.Replica.Step, wider.Replica.Images));

        wider.Steps(2);
        Assert.Equal((5L, 54L), (wider.Replica.Step, wider.Replica.Images));

        static void RemoveImages(string path)
        {
            byte[] file = File.ReadAllBytes(path);
            "nobody"u8.CopyTo(file.AsSpan(file.AsSpan().IndexOf("\"images\":\""u8) + 1));
            // Older versions added no scores: the checksum covers what they wrote.
            "nobody"u8.CopyTo(file.AsSpan(file.AsSpan().IndexOf("\"test_bits_per_dim_check\":\""u8) + 1));
            Span<byte> checksum = file.AsSpan(file.AsSpan().IndexOf("\"checksum\":\""u8) + 12, 32);
            checksum.Fill((byte)'0');
            Encoding.ASCII.GetBytes(Convert.ToHexStringLower(XxHash128.Hash(file)), checksum);
            File.WriteAllBytes(path, file);
        }
    }

    [Fact]
    public void Bf16_scores_what_float32_does_after_the_same_steps() =>
        AssertBf16ScoresAsFloat32(TinyRun.Digits(8), shards: 1, steps: 40, worst: 3.5, tolerance: 0.06);

    [Fact(Explicit = true)]
    [Trait("Needs", "time")]
    public void Bf16_scores_what_float32_does_after_the_same_steps_on_digits_of_full_size() =>
        AssertBf16ScoresAsFloat32(ImageDataSets.Load(DataSet.Digits, "", 0), shards: 2, steps: 60, worst: 2, tolerance: 0.01);

    /// <summary>
    /// Both learn the digits from the same images: what bf16 rounds does not cost bits, and it is not float32 by another name.
    /// </summary>
    private static void AssertBf16ScoresAsFloat32(ImageData digits, int shards, int steps, double worst, double tolerance)
    {
        RunSpec spec =
            TinyRun.Small with
            {
                Model = TinyRun.Small.Model with { Dropout = 0, Filters = 8, ClassConditional = true },
                Optimiser = TinyRun.Small.Optimiser with { BatchSize = 8 / shards, Shards = shards, InitBatchSize = 16 },
                Schedule = TinyRun.Small.Schedule with { LearningRate = 0.001 },
            };
        (double BitsPerDim, string Hash) After(Precision precision)
        {
            int batches = 100 / spec.Optimiser.BatchSize;
            using var run = TinyRun.Start(spec with { Compute = spec.Compute with { Precision = precision } }, digits);
            run.Steps(steps);
            return (run.On(() => run.Replica.Evaluate(0, batches))
                .Sum() / (batches * spec.Optimiser.BatchSize * digits.Test.Size * digits.Test.Size * Math.Log(2)), run.Hash);
        }

        (double BitsPerDim, string Hash) full = After(Precision.Float32), half = After(Precision.Bf16);
        Assert.Equal(full.BitsPerDim, half.BitsPerDim, tolerance);
        Assert.InRange(full.BitsPerDim, 0.5, worst);
        Assert.NotEqual(full.Hash, half.Hash);
    }

    [Theory]
    [InlineData(Objective.Likelihood, Nonlinearity.ConcatElu)]
    [InlineData(Objective.EnergyDistance, Nonlinearity.Relu)]
    public void Bf16_trains_every_layer_to_the_same_bits_in_float32(Objective objective, Nonlinearity nonlinearity)
    {
        RunSpec spec =
            TinyRun.Small with
            {
                Model = TinyRun.Small.Model with
                {
                    Objective = objective,
                    Nonlinearity = nonlinearity,
                    ClassConditional = true,
                    CoordinateChannels = true,
                    NonLocal = true
                },
                Optimiser = TinyRun.Small.Optimiser with { Shards = 2 },
                Compute = TinyRun.Small.Compute with { Precision = Precision.Bf16 },
            };
        using var run = TinyRun.Start(spec, threads: 2, channels: 3);
        float[] Values() => run.On(() => PixelCnnCluster.Unit.Tests.Model.TensorValues.Floats(run.Replica.State.Values));
        float[] before = Values();
        Assert.All(run.Steps(3), loss => Assert.True(double.IsFinite(loss)));
        float[] after = Values();
        foreach (Slot slot in run.Replica.Network.Layout.Slots)
            Assert.Contains(Enumerable.Range((int)slot.Offset, (int)slot.Length), i => before[i] != after[i]);
        // bfloat16 is the upper half of a float32; the state has the lower half too.
        Assert.InRange(
            after.Count(value => (BitConverter.SingleToUInt32Bits(value) & 0xFFFF) != 0), run.Replica.Network.Layout.Count * 9 / 10,
            int.MaxValue);
        using var same = TinyRun.Start(spec, threads: 1, channels: 3);
        same.Steps(3);
        Assert.Equal(run.Hash, same.Hash);
    }

    [Fact]
    public void Dropout_and_the_seed_decide_the_parameters()
    {
        RunSpec small = TinyRun.Small;
        RunSpec[] specs =
        [
            small,
            small with { Model = small.Model with { Dropout = 0 } },
            small with { Optimiser = small.Optimiser with { Seed = 9 } },
        ];
        string[] hashes = [.. specs.Select(spec =>
        {
            using var run = TinyRun.Start(spec);
            run.Steps(2);
            return run.Hash;
        })];
        Assert.Equal(3, hashes.Distinct().Count());
    }

    [Theory]
    [InlineData(2, 1)]
    [InlineData(3, 1)]
    [InlineData(4, 2)]
    public async Task Any_number_of_workers_and_threads_gives_the_same_parameters(int workers, int threads)
    {
        TinyRun[] runs = [.. Enumerable.Range(0, workers).Select(_ => TinyRun.Start(TinyRun.Small, threads))];
        GradientExchange[] exchanges = [.. Enumerable.Range(0, workers).Select(
            rank => new GradientExchange(
                new(TinyRun.Small.Optimiser.Shards), new(rank, workers), runs[0].Replica.GradientBuckets, WireFormat.Float32))];
        for (long step = 0; step < Steps; step++)
        {
            AllReduceStep[] rounds = [.. exchanges.Select(exchange => exchange.Begin(step))];
            for (int rank = 0; rank < workers; rank++)
                runs[rank].On(() => runs[rank].Replica.ComputeShards(exchanges[rank].Share, rounds[rank]));
            new Posting(exchanges).Deliver();
            for (int rank = 0; rank < workers; rank++)
            {
                (Replica replica, IReadOnlyList<ReadOnlyMemory<float>> total) = (runs[rank].Replica, await rounds[rank].Whole);
                runs[rank].On(() => replica.Apply(total, replica.Measure(total)));
            }
        }

        Assert.All(runs, run => Assert.Equal(HashOfOneWorker.Value, run.Hash));
        foreach (TinyRun run in runs)
            run.Dispose();
    }

    [Fact]
    public void A_round_that_is_over_begins_no_more_shards()
    {
        using var run = TinyRun.Start(TinyRun.Small);
        using var over = new CancellationTokenSource();
        int vectors = 0;
        var exchange = new GradientExchange(
            new(TinyRun.Small.Optimiser.Shards), WorkerRank.Alone, run.Replica.GradientBuckets, WireFormat.Float32, Allocate, over.Token);
        AllReduceStep step = exchange.Prepare(0);
        Assert.Throws<OperationCanceledException>(() => run.On(() => run.Replica.ComputeShards(exchange.Share, step)));
        Assert.Equal(run.Replica.GradientBuckets.Count, vectors);

        Memory<float> Allocate(int length)
        {
            vectors++;
            over.Cancel();
            return new float[length];
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void A_gradient_that_is_not_finite_is_skipped_and_counted(float bad)
    {
        using var run = TinyRun.Start(TinyRun.Small);
        run.Steps(1);
        float[] gradient = new float[run.Replica.Network.Layout.Length];
        gradient[^20] = bad;
        float[] values = run.On(() => PixelCnnCluster.Unit.Tests.Model.TensorValues.Floats(run.Replica.State.Values));
        GradientMeasure measure = run.Apply(gradient);
        Assert.False(double.IsFinite(measure.Norm));
        Assert.Equal(1, measure.SkippedInARow);
        Assert.Equal(2, run.Replica.State.Step);
        Assert.Equal(values, run.On(() => PixelCnnCluster.Unit.Tests.Model.TensorValues.Floats(run.Replica.State.Values)));
        Assert.All(run.Steps(1), loss => Assert.True(double.IsFinite(loss)));
    }

    [Fact]
    public void A_gradient_whose_squares_have_no_sum_in_float32_is_applied()
    {
        using var run = TinyRun.Start(TinyRun.Small);
        float[] gradient = new float[run.Replica.Network.Layout.Length];
        Array.Fill(gradient, 1e18f);
        Assert.Equal(1e18 * Math.Sqrt(gradient.Length), run.Apply(gradient).Norm, 1e13);
        Assert.Equal(0, run.Replica.SkippedInARow);
    }

    [Fact]
    public void The_norm_is_that_of_the_whole_gradient_and_measuring_changes_nothing()
    {
        using var run = TinyRun.Start(TinyRun.Small);
        float[] gradient = new float[run.Replica.Network.Layout.Length];
        (gradient[0], gradient[33]) = (3, -4);
        string before = run.Hash;

        GradientMeasure measure = run.On(() => run.Replica.Measure(run.Parts(gradient)));

        Assert.Equal(5, measure.Norm, 1e-6);
        Assert.Equal((0, before), (run.Replica.Step, run.Hash));
        run.On(() => run.Replica.Apply(run.Parts(gradient), measure));
        Assert.Equal(1, run.Replica.Step);
        Assert.NotEqual(before, run.Hash);
    }
}
