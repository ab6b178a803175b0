using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Layers;
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

    private static readonly RunSpec Spec = new() { LearningRate = 0.01, LearningRateDecay = 0.9, PolyakDecay = 0.6 };

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
                state.Apply([gradient.AsMemory(0, 30), gradient.AsMemory(30)], Finite, device);
            else
                state.Apply(tensor(gradient), Finite);
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
            one.Apply([gradient.AsMemory(0, 30), gradient.AsMemory(30)], Finite, alone);
            other.Apply([gradient.AsMemory(0, 9000), gradient.AsMemory(9000)], Finite, two);
            Assert.Equal(one.Hash(), other.Hash());
        }
    }

    [Fact]
    public void A_gradient_that_is_not_finite_leaves_the_vectors_and_counts()
    {
        using DisposeScope scope = NewDisposeScope();
        using TrainingState state = New(out int length);
        state.Apply(ones([length]), Finite);
        float[][] before = [.. state.Vectors.Select(v => v.Vector.Floats())];
        string hash = state.Hash();
        state.Apply(ones([length]), GradientMeasure.Of(double.NaN, skippedBefore: 0));
        Assert.Equal(1, state.SkippedInARow);
        Assert.Equal(2, state.Step);
        Assert.Equal(before, state.Vectors.Select(v => v.Vector.Floats()));
        Assert.NotEqual(hash, state.Hash());
    }

    [Fact]
    public void The_learning_rate_decays_from_the_first_step()
    {
        Assert.Equal(0.01 * 0.9, TrainingState.LearningRate(Spec, 0), 1e-15);
        Assert.Equal(0.01 * Math.Pow(0.9, 11), TrainingState.LearningRate(Spec, 10), 1e-15);
    }

    [Fact]
    public void The_hash_changes_with_every_element_and_the_step()
    {
        using DisposeScope scope = NewDisposeScope();
        using TrainingState state = New(out int length);
        state.Apply(ones([length]), Finite);
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
