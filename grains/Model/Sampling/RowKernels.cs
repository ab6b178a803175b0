using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Model.Sampling;

/// <summary>
/// The arithmetic of a cached network on the CPU. A pixel's products are too small for the tensor library, whose calls cost more
/// than they compute, and whose rounding depends on how many images there are. Here each output is one chain of multiply-adds in
/// a fixed order, so an image's values do not depend on the others of its batch.
/// </summary>
internal static unsafe class RowKernels
{
    /// <summary>Channels come in whole multiples of this: two vectors, which with four rows keep the multiply-add units busy.</summary>
    public const int Block = 2 * Lanes.Count;

    private const int Tile = 4;

    /// <summary>
    /// output[row] += input[row] x matrix for rows at a constant distance.
    /// </summary>
    /// <param name="matrix">Blocks of outputs, each [inner, <see cref="Block"/>].</param>
    /// <param name="matrixStep">Floats from one block of outputs to the next.</param>
    public static void AddProduct(
        float* input, int inputStep, float* matrix, int inner, int matrixStep, int blocks, float* output, int outputStep, int rows)
    {
        // Blocks outermost: large matrices are read from memory once, whatever the number of rows.
        for (int block = 0; block < blocks; block++)
        {
            for (int row = 0; row < rows; row += Tile)
                AddTile(input, inputStep, matrix + ((long)block * matrixStep), inner, output + (block * Block), outputStep, row, rows - 1);
        }
    }

    /// <summary>concat_elu, elu or relu of <paramref name="count"/> columns of <paramref name="channels"/>; concat_elu gives twice as many.</summary>
    public static void Activate(Nonlinearity nonlinearity, float* input, float* output, int channels, int count)
    {
        if (nonlinearity != Nonlinearity.ConcatElu)
        {
            for (int i = 0; i < channels * count; i += Lanes.Count)
            {
                Vector512<float> x = Vector512.Load(input + i);
                (nonlinearity == Nonlinearity.Elu ? Lanes.ConcatElu(x).Positive : Vector512.Max(x, Vector512<float>.Zero)).Store(output + i);
            }

            return;
        }

        for (int column = 0; column < count; column++, input += channels, output += 2 * channels)
        {
            for (int c = 0; c < channels; c += Lanes.Count)
            {
                (Vector512<float> positive, Vector512<float> negative) = Lanes.ConcatElu(Vector512.Load(input + c));
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
            for (int c = 0; c < channels; c += Lanes.Count)
                (Vector512.Load(x + c) + (Vector512.Load(gated + c) * Lanes.Sigmoid(Vector512.Load(gated + channels + c)))).Store(output + c);
        }
    }

    /// <summary>
    /// Four rows by one block, held in registers. Rows past the last repeat it: they compute the same values and store them again,
    /// which costs less than a second kernel, and rounds alike.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddTile(float* input, int inputStep, float* matrix, int inner, float* output, int outputStep, int row, int last)
    {
        long row0 = row, row1 = Math.Min(row + 1, last), row2 = Math.Min(row + 2, last), row3 = Math.Min(row + 3, last);
        float* x0 = input + (row0 * inputStep), x1 = input + (row1 * inputStep), x2 = input + (row2 * inputStep), x3 = input + (row3 * inputStep);
        float* y0 = output + (row0 * outputStep), y1 = output + (row1 * outputStep), y2 = output + (row2 * outputStep), y3 = output + (row3 * outputStep);
        Vector512<float> left0 = Vector512.Load(y0), right0 = Vector512.Load(y0 + Lanes.Count);
        Vector512<float> left1 = Vector512.Load(y1), right1 = Vector512.Load(y1 + Lanes.Count);
        Vector512<float> left2 = Vector512.Load(y2), right2 = Vector512.Load(y2 + Lanes.Count);
        Vector512<float> left3 = Vector512.Load(y3), right3 = Vector512.Load(y3 + Lanes.Count);
        for (long k = 0; k < inner; k++, matrix += Block)
        {
            Vector512<float> left = Vector512.Load(matrix), right = Vector512.Load(matrix + Lanes.Count);
            Vector512<float> x = Vector512.Create(x0[k]);
            left0 = Vector512.MultiplyAddEstimate(x, left, left0);
            right0 = Vector512.MultiplyAddEstimate(x, right, right0);
            x = Vector512.Create(x1[k]);
            left1 = Vector512.MultiplyAddEstimate(x, left, left1);
            right1 = Vector512.MultiplyAddEstimate(x, right, right1);
            x = Vector512.Create(x2[k]);
            left2 = Vector512.MultiplyAddEstimate(x, left, left2);
            right2 = Vector512.MultiplyAddEstimate(x, right, right2);
            x = Vector512.Create(x3[k]);
            left3 = Vector512.MultiplyAddEstimate(x, left, left3);
            right3 = Vector512.MultiplyAddEstimate(x, right, right3);
        }

        left0.Store(y0);
        right0.Store(y0 + Lanes.Count);
        left1.Store(y1);
        right1.Store(y1 + Lanes.Count);
        left2.Store(y2);
        right2.Store(y2 + Lanes.Count);
        left3.Store(y3);
        right3.Store(y3 + Lanes.Count);
    }
}
