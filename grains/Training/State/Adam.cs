using System.Runtime.InteropServices;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Tensors;
using PixelCnnCluster.Training.Devices;
using TorchSharp;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace PixelCnnCluster.Training.State;

/// <summary>One step of Adam with epsilon inside the root, as in the published PixelCNN++ program, then of the Polyak average.</summary>
internal sealed class Adam
{
    private const double FirstDecay = 0.95, SecondDecay = 0.9995, Epsilon = 1e-8;

    /// <summary>Elements that a thread takes at a time: few enough for all that is known of them to stay in its cache.</summary>
    private const int Block = 4096;

    private readonly TrainingState _state;
    private readonly float _secondScale, _rate, _averageWeight, _gradientScale, _kept;

    /// <param name="state">Before the step.</param>
    public Adam(TrainingState state, RunSpec spec, OptimiserStep step)
    {
        _state = state;
        _gradientScale = (float)step.GradientScale;
        _kept = (float)(1 - (step.LearningRate * step.WeightDecay));
        double t = state.Step + 1;
        _secondScale = (float)(1 - Math.Pow(SecondDecay, t));
        _rate = (float)(-step.LearningRate / (1 - Math.Pow(FirstDecay, t)));
        _averageWeight = (float)(1 - Math.Min(spec.Optimiser.PolyakDecay, t / (9 + t)));
    }

    /// <summary>By operations on whole vectors, on any device.</summary>
    /// <param name="gradient">[Length].</param>
    public void Apply(Tensor gradient)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable none = no_grad();
        if (_gradientScale != 1)
            gradient *= Number(_gradientScale);
        if (_kept != 1)
            _state.Values.mul_(Number(_kept));
        _state.FirstMoment.TimesInPlace(FirstDecay).AddInPlace(gradient, 1 - FirstDecay);
        _state.SecondMoment.TimesInPlace(SecondDecay).AddProductInPlace(gradient, gradient, 1 - SecondDecay);
        Tensor deviation = (_state.SecondMoment / Number(_secondScale)).Plus(Epsilon).sqrt();
        _state.Values.AddInPlace(_state.FirstMoment / deviation * Number(_rate));
        _state.Average.lerp_(_state.Values, Number(_averageWeight));

        // Made on the device: a number that is copied there would wait for all work before it.
        Tensor Number(float value) => TensorMath.Number(value, _state.Values.device);
    }

    /// <summary>In one pass over memory, on the CPU. No element knows of another, so the threads change nothing.</summary>
    /// <param name="parts">The gradient, one part after another.</param>
    public void Apply(IReadOnlyList<ReadOnlyMemory<float>> parts, DeviceThreads threads)
    {
        int begin = 0;
        foreach (ReadOnlyMemory<float> part in parts)
        {
            int offset = begin;
            threads.ForEach((part.Length + Block - 1) / Block, (_, block) =>
            {
                int first = block * Block, length = Math.Min(Block, part.Length - first);
                Apply(
                    part.Span.Slice(first, length), Of(_state.FirstMoment), Of(_state.SecondMoment), Of(_state.Values),
                    Of(_state.Average));

                Span<float> Of(Tensor vector) => MemoryMarshal.Cast<byte, float>(vector.bytes).Slice(offset + first, length);
            });
            begin += part.Length;
        }
    }

    private void Apply(
        ReadOnlySpan<float> gradient, Span<float> firstMoment, Span<float> secondMoment, Span<float> values, Span<float> average)
    {
        Span<float> x = stackalloc float[Block];
        x = x[..gradient.Length];
        Span<float> scaled = stackalloc float[_gradientScale == 1 ? 0 : gradient.Length];
        scoped ReadOnlySpan<float> g = gradient;
        if (_gradientScale != 1)
        {
            TensorPrimitives.Multiply(gradient, _gradientScale, scaled);
            g = scaled;
        }

        if (_kept != 1)
            TensorPrimitives.Multiply(values, _kept, values);
        TensorPrimitives.Multiply(firstMoment, (float)FirstDecay, firstMoment);
        TensorPrimitives.FusedMultiplyAdd(g, (float)(1 - FirstDecay), firstMoment, firstMoment);
        TensorPrimitives.Multiply(g, g, x);
        TensorPrimitives.Multiply(secondMoment, (float)SecondDecay, secondMoment);
        TensorPrimitives.FusedMultiplyAdd(x, (float)(1 - SecondDecay), secondMoment, secondMoment);
        TensorPrimitives.Divide(secondMoment, _secondScale, x);
        TensorPrimitives.Add(x, (float)Epsilon, x);
        TensorPrimitives.Sqrt(x, x);
        TensorPrimitives.Divide(firstMoment, x, x);
        TensorPrimitives.FusedMultiplyAdd(x, _rate, values, values);
        // Not as a sum of two products, whose weights would not quite add up to 1.
        TensorPrimitives.Subtract(values, average, x);
        TensorPrimitives.FusedMultiplyAdd(x, _averageWeight, average, average);
    }

    /// <summary>
    /// A gradient's sum of squares, on the CPU; not finite if one of the squares is not in float32, as the second moment would not be.
    /// </summary>
    public static double SumOfSquares(IReadOnlyList<ReadOnlyMemory<float>> parts)
    {
        double sum = 0;
        Span<float> squares = stackalloc float[Block];
        Span<double> wide = stackalloc double[Block];
        foreach (ReadOnlyMemory<float> part in parts)
        {
            for (int first = 0; first < part.Length; first += Block)
            {
                ReadOnlySpan<float> block = part.Span.Slice(first, Math.Min(Block, part.Length - first));
                TensorPrimitives.Multiply(block, block, squares);
                TensorPrimitives.ConvertTruncating<float, double>(squares[..block.Length], wide);
                sum += TensorPrimitives.Sum<double>(wide[..block.Length]);
            }
        }

        return sum;
    }
}
