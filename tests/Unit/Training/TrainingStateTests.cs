using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Tensors;
using PixelCnnCluster.Training.Devices;
using PixelCnnCluster.Training.State;
using PixelCnnCluster.Unit.Tests.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Training;

/// <summary>The optimiser and the average against their formulas in double precision, and the state's hash.</summary>
public sealed class TrainingStateTests
{
    private static readonly GradientMeasure Finite = GradientMeasure.Of(1, skippedBefore: 0);

    private const double FirstDecay = 0.95, SecondDecay = 0.9995;

    private static readonly RunSpec Spec = new()
    {
        Optimiser = new() { PolyakDecay = 0.6 },
        Schedule = new() { LearningRate = 0.01, LearningRateDecay = 0.9 },
    };

    /// <param name="threads">Of the CPU, which take the gradient in two parts; 0 for operations on whole vectors.</param>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Steps_follow_adam_with_epsilon_inside_the_root_and_the_polyak_average(int threads)
    {
        using DisposeScope scope = NewDisposeScope();
        using TrainingState state = New(out int length);
        using var device = new DeviceThreads(Math.Max(1, threads));
        var random = new Random(1);
        double[] values = state.Values.Floats().Select(v => (double)v).ToArray(), average = [.. values];
        double[] first = new double[length], second = new double[length];
        for (int t = 0; t < 20; t++)
        {
            // From far below the root of epsilon, where it matters, to far above.
            float[] gradient = [.. Enumerable.Range(0, length).Select(
                i => (float)((random.NextDouble() - 0.5) * Math.Pow(10, (i % 9) - 6)))];
            if (threads > 0)
                state.Apply([gradient.AsMemory(0, 30), gradient.AsMemory(30)], Finite, Next(state), device);
            else
                state.Apply(tensor(gradient), Finite, Next(state));
            double rate = 0.01 * Math.Pow(0.9, t + 1), decay = Math.Min(0.6, (1.0 + t) / (10 + t));
            for (int i = 0; i < length; i++)
            {
                first[i] = (FirstDecay * first[i]) + ((1 - FirstDecay) * gradient[i]);
                second[i] = (SecondDecay * second[i]) + ((1 - SecondDecay) * gradient[i] * gradient[i]);
                double mean = first[i] / (1 - Math.Pow(FirstDecay, t + 1)), square = second[i] / (1 - Math.Pow(SecondDecay, t + 1));
                values[i] -= rate * mean / Math.Sqrt(square + 1e-8);
                average[i] = (decay * average[i]) + ((1 - decay) * values[i]);
            }

            Assert.Equal(t + 1, state.Step);
            AssertNear(values, state.Values);
            AssertNear(average, state.Average);
            AssertNear(first, state.FirstMoment);
            AssertNear(second, state.SecondMoment);
        }
    }

    [Fact]
    public void Neither_parts_nor_blocks_nor_threads_change_the_state()
    {
        using DisposeScope scope = NewDisposeScope();
        using TrainingState one = New(out int length, filters: 2000), other = New(out _, filters: 2000);
        using DeviceThreads alone = new(1), two = new(2);
        var random = new Random(1);
        for (int t = 0; t < 3; t++)
        {
            float[] gradient = [.. Enumerable.Range(0, length).Select(_ => random.NextSingle() - 0.5f)];
            one.Apply([gradient.AsMemory(0, 30), gradient.AsMemory(30)], Finite, Next(one), alone);
            other.Apply([gradient.AsMemory(0, 9000), gradient.AsMemory(9000)], Finite, Next(other), two);
            Assert.Equal(one.Hash(), other.Hash());
        }
    }

    [Fact]
    public void A_gradient_that_is_not_finite_leaves_the_vectors_and_counts()
    {
        using DisposeScope scope = NewDisposeScope();
        using TrainingState state = New(out int length);
        state.Apply(ones([length]), Finite, Next(state));
        float[][] before = [.. state.Vectors.Select(v => v.Vector.Floats())];
        string hash = state.Hash();
        state.Apply(ones([length]), GradientMeasure.Of(double.NaN, skippedBefore: 0), Next(state));
        Assert.Equal(1, state.SkippedInARow);
        Assert.Equal(2, state.Step);
        Assert.Equal(before, state.Vectors.Select(v => v.Vector.Floats()));
        Assert.NotEqual(hash, state.Hash());
    }

    [Fact]
    public void The_learning_rate_decays_from_the_first_step()
    {
        Assert.Equal(0.01 * 0.9, Spec.Schedule.RateAt(0, totalSteps: 100), 1e-15);
        Assert.Equal(0.01 * Math.Pow(0.9, 11), Spec.Schedule.RateAt(10, totalSteps: 100), 1e-15);
    }

    [Theory]
    [InlineData(LearningRateSchedule.Constant, 0.01, 0.01, 0.01)]
    [InlineData(LearningRateSchedule.Linear, 0.01, 0.00525, 0.0005)]
    [InlineData(LearningRateSchedule.Cosine, 0.01, 0.00525, 0.0005)]
    public void Schedules_by_the_length_of_the_run_end_at_a_twentieth(LearningRateSchedule schedule, double first, double half, double last)
    {
        RunSpec spec = Spec with { Schedule = Spec.Schedule with { Schedule = schedule } };
        Assert.Equal(
            [first, half, last], new long[] { 0, 50, 100 }.Select(step => Math.Round(spec.Schedule.RateAt(step, 100), 10)));
        Assert.Equal(half, (spec.Schedule with { FinalLearningRate = first }).RateAt(50, 100), first);
    }

    [Theory]
    [InlineData(0.9985, 3_750, null)]
    [InlineData(0.9985, 100_000, "from 0.01 to 2.53E-35 in the first half of 100,000 steps")]
    [InlineData(0.999995, 1_950_000, null)]
    public void A_rate_that_is_dead_before_half_of_the_run_is_told(double decay, long totalSteps, string? warning)
    {
        string? told = (Spec.Schedule with { LearningRateDecay = decay }).Warning(totalSteps);
        Assert.Equal(warning is null, told is null);
        Assert.Contains(warning ?? "", told ?? "", StringComparison.Ordinal);
        Assert.Null((Spec.Schedule with { LearningRateDecay = decay, Schedule = LearningRateSchedule.Cosine }).Warning(totalSteps));
    }

    [Fact]
    public void Warming_up_rises_to_the_rate()
    {
        RunSpec spec = Spec with { Schedule = Spec.Schedule with { Schedule = LearningRateSchedule.Constant, WarmupSteps = 4 } };
        Assert.Equal(
            [0.0025, 0.005, 0.0075, 0.01, 0.01],
            Enumerable.Range(0, 5).Select(step => Math.Round(spec.Schedule.RateAt(step, 100), 10)));
    }

    [Fact]
    public void A_gradient_beyond_the_greatest_norm_is_scaled_down_to_it()
    {
        RunSpec spec = Spec with { Optimiser = Spec.Optimiser with { ClipNorm = 0.5 } };
        Assert.Equal(0.25, OptimiserStep.Of(spec, 0, 100, normPerDim: 2).GradientScale);
        Assert.Equal(1, OptimiserStep.Of(spec, 0, 100, normPerDim: 0.5).GradientScale);
        using DisposeScope scope = NewDisposeScope();
        using var threads = new DeviceThreads(1);
        using TrainingState clipped = New(out int length), small = New(out _), onVectors = New(out _);
        float[] gradient = [.. Enumerable.Range(0, length).Select(i => i * 0.25f)];
        clipped.Apply([gradient], Finite, Next(clipped) with { GradientScale = 0.25 }, threads);
        small.Apply([gradient.Select(g => g * 0.25f).ToArray()], Finite, Next(small), threads);
        onVectors.Apply(tensor(gradient), Finite, Next(onVectors) with { GradientScale = 0.25 });
        Assert.Equal(small.Hash(), clipped.Hash());
        Assert.True((onVectors.Values - small.Values).abs().max().Value<float>() < 1e-6);
    }

    [Fact]
    public void Weight_decay_takes_a_part_of_each_parameter_away()
    {
        using DisposeScope scope = NewDisposeScope();
        using var threads = new DeviceThreads(1);
        using TrainingState plain = New(out int length), decayed = New(out _), onVectors = New(out _);
        float[] before = plain.Values.Floats(), zeros = new float[length];
        OptimiserStep step = new(LearningRate: 0.1, GradientScale: 1, WeightDecay: 0.5);
        plain.Apply([zeros], Finite, step with { WeightDecay = 0 }, threads);
        decayed.Apply([zeros], Finite, step, threads);
        onVectors.Apply(torch.zeros([length]), Finite, step);
        Assert.Equal(before, plain.Values.Floats());
        Assert.All(before.Zip(decayed.Values.Floats()), pair => Assert.Equal(pair.First * 0.95f, pair.Second, 1e-6f));
        Assert.All(before.Zip(onVectors.Values.Floats()), pair => Assert.Equal(pair.First * 0.95f, pair.Second, 1e-6f));
    }

    [Fact]
    public void The_hash_changes_with_every_element_and_the_step()
    {
        using DisposeScope scope = NewDisposeScope();
        using TrainingState state = New(out int length);
        state.Apply(ones([length]), Finite, Next(state));
        var hashes = new HashSet<string> { state.Hash() };
        foreach ((_, Tensor vector) in state.Vectors)
        {
            for (int i = 0; i < length; i++)
            {
                Span<byte> element = vector.bytes.Slice(i * sizeof(float), sizeof(float));
                element[0] ^= 1;
                Assert.True(hashes.Add(state.Hash()));
                element[0] ^= 1;
            }
        }

        state.StartAt(5, skippedInARow: 0, images: 0);
        Assert.True(hashes.Add(state.Hash()));
        state.StartAt(1, skippedInARow: 0, images: 0);
        Assert.False(hashes.Add(state.Hash()));
        Assert.All(hashes, hash => Assert.Equal(32, hash.Length));
    }

    /// <summary>The next step of the test's specification.</summary>
    private static OptimiserStep Next(TrainingState state) => OptimiserStep.Of(Spec, state.Step, totalSteps: 100, normPerDim: 0);

    private static TrainingState New(out int length, int filters = 3)
    {
        var layout = new ParameterLayout();
        layout.Add("a.v", filters, 7);
        layout.Add("a.b", 17);
        var state = new TrainingState(layout, Spec);
        length = (int)layout.Length;
        using var generator = new Generator(3, CPU);
        state.Values.copy_(randn([length], generator: generator));
        state.Average.copy_(state.Values);
        return state;
    }

    private static void AssertNear(double[] expected, Tensor actual)
    {
        float[] found = actual.Floats();
        Assert.All(Enumerable.Range(0, expected.Length), i => Assert.Equal(expected[i], found[i], 1e-5 * (Math.Abs(expected[i]) + 1e-3)));
    }
}
