using System.Runtime.Intrinsics;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Kernels;

namespace PixelCnnCluster.Model.Sampling;

/// <summary>
/// A cached network's element-wise arithmetic on the CPU, where a pixel is too little for the tensor library, whose calls cost more than
/// they compute.
/// </summary>
internal static unsafe class RowKernels
{
    /// <summary>
    /// concat_elu, elu or relu of <paramref name="count"/> columns of <paramref name="channels"/>; concat_elu gives twice as many.
    /// </summary>
    public static void Activate(Nonlinearity nonlinearity, float* input, float* output, int channels, int count)
    {
        if (nonlinearity != Nonlinearity.ConcatElu)
        {
            for (int i = 0; i < channels * count; i += VectorMath.Count)
            {
                var x = Vector512.Load(input + i);
                (nonlinearity == Nonlinearity.Elu ? VectorMath.ConcatElu(x).Positive
                    : Vector512.Max(x, Vector512<float>.Zero)).Store(output + i);
            }

            return;
        }

        for (int column = 0; column < count; column++, input += channels, output += 2 * channels)
        {
            for (int c = 0; c < channels; c += VectorMath.Count)
            {
                (Vector512<float> positive, Vector512<float> negative) = VectorMath.ConcatElu(Vector512.Load(input + c));
                positive.Store(output + c);
                negative.Store(output + channels + c);
            }
        }
    }

    /// <summary>output = x + a sigmoid(b) for <paramref name="count"/> columns; (a, b) has twice the channels.</summary>
    public static void Gate(float* x, float* gated, float* output, int channels, int count)
    {
        for (int column = 0; column < count; column++, x += channels, gated += 2 * channels, output += channels)
        {
            for (int c = 0; c < channels; c += VectorMath.Count)
                (Vector512.Load(x + c)
                    + (Vector512.Load(gated + c) * VectorMath.Sigmoid(Vector512.Load(gated + channels + c)))).Store(output + c);
        }
    }
}
