using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PixelCnnCluster.Model.Kernels;

/// <summary>
/// Matrix products that the tensor library is slow at: those too small for its calls, those of rows that overlap, as a convolution's input
/// has them, and those whose rounding must not depend on how many rows there are. Each output is one chain of multiply-adds in a fixed
/// order.
/// </summary>
internal static unsafe class MatrixProduct
{
    /// <summary>
    /// Channels come in whole multiples of this: two vectors, which with six rows keep the multiply-add units busy and fit sixteen
    /// registers.
    /// </summary>
    public const int Block = 2 * Half;

    private const int Half = 8;

    /// <summary>output[row] += input[row] x matrix for rows at a constant distance.</summary>
    /// <param name="matrix">Blocks of outputs, each [inner, <see cref="Block"/>].</param>
    /// <param name="matrixStep">Floats from one block of outputs to the next.</param>
    public static void Add(
        float* input, int inputStep, float* matrix, int inner, int matrixStep, int blocks, float* output, int outputStep, int rows)
    {
        // Blocks outermost: large matrices are read from memory once, whatever the number of rows.
        for (int block = 0; block < blocks; block++)
            AddBlock(
                input, inputStep, 1, matrix + ((long)block * matrixStep), Block, inner, output + (block * Block), outputStep, output
                    + (block * Block), outputStep, rows);
    }

    /// <summary>output += input^T x other: output [rows, columns], input [inner, rows], other [inner, columns].</summary>
    /// <param name="inputStep">Floats from one row of the input to the next, which may be fewer than a row has.</param>
    /// <param name="columns">A multiple of <see cref="Block"/>.</param>
    public static void AddTransposed(float* input, int inputStep, float* other, int inner, float* output, int rows, int columns)
    {
        for (int column = 0; column < columns; column += Block)
            AddBlock(input, 1, inputStep, other + column, columns, inner, output + column, columns, output + column, columns, rows);
    }

    /// <summary>output[row] = start[row] + input[row] x matrix for one block of outputs.</summary>
    /// <param name="innerStep">Floats from one number of a row of the input to the next.</param>
    /// <param name="matrixStep">Floats from one row of the matrix to the next.</param>
    /// <param name="start">The output itself, for sums, or a bias, whose step is 0.</param>
    public static void AddBlock(
        float* input, int inputStep, int innerStep, float* matrix, int matrixStep, int inner, float* start, int startStep, float* output,
        int outputStep, int rows)
    {
        for (int row = 0, count; row < rows; row += count)
        {
            // Sixes and fours, so that few rows are computed twice.
            int left = rows - row;
            count = left > 8 || left is 5 or 6 ? 6 : 4;
            float* from = input + ((long)row * inputStep), first = start + ((long)row * startStep), to = output + ((long)row * outputStep);
            if (count == 6)
                AddTile<Six>(from, inputStep, innerStep, matrix, matrixStep, inner, first, startStep, to, outputStep, left - 1);
            else
                AddTile<Four>(from, inputStep, innerStep, matrix, matrixStep, inner, first, startStep, to, outputStep, left - 1);
        }
    }

    /// <summary>
    /// Some rows by one block, held in registers. Rows past the last repeat it: they compute the same values and store them again.
    /// (Vectors of 512 bits would be taken apart where the processor has none, with twice the moves between registers.)
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void AddTile<TRows>(
        float* input, long inputStep, long innerStep, float* matrix, long matrixStep, long inner, float* start, long startStep,
        float* output, long outputStep, long last)
        where TRows : struct
    {
        // The compiler makes a method of each kind, without what does not concern it.
        bool isSix = typeof(TRows) == typeof(Six);
        long row1 = Math.Min(1, last), row2 = Math.Min(2, last), row3 = Math.Min(3, last), row4 = Math.Min(4, last),
            row5 = Math.Min(5, last);
        float* x0 = input, x1 = input + (row1 * inputStep), x2 = input + (row2 * inputStep), x3 = input + (row3 * inputStep);
        float* x4 = input + (row4 * inputStep), x5 = input + (row5 * inputStep);
        float* y0 = output, y1 = output + (row1 * outputStep), y2 = output + (row2 * outputStep), y3 = output + (row3 * outputStep);
        Vector256<float> left0 = Vector256.Load(start), right0 = Vector256.Load(start + Half);
        Vector256<float> left1 = Vector256.Load(start + (row1 * startStep)), right1 = Vector256.Load(start + (row1 * startStep) + Half);
        Vector256<float> left2 = Vector256.Load(start + (row2 * startStep)), right2 = Vector256.Load(start + (row2 * startStep) + Half);
        Vector256<float> left3 = Vector256.Load(start + (row3 * startStep)), right3 = Vector256.Load(start + (row3 * startStep) + Half);
        Vector256<float> left4 = isSix ? Vector256.Load(start + (row4 * startStep)) : default, right4 = isSix
            ? Vector256.Load(start + (row4 * startStep) + Half) : default;
        Vector256<float> left5 = isSix ? Vector256.Load(start + (row5 * startStep)) : default, right5 = isSix
            ? Vector256.Load(start + (row5 * startStep) + Half) : default;
        for (long k = 0, end = inner * innerStep; k != end; k += innerStep, matrix += matrixStep)
        {
            Vector256<float> left = Vector256.Load(matrix), right = Vector256.Load(matrix + Half);
            var x = Vector256.Create(x0[k]);
            left0 = Vector256.MultiplyAddEstimate(x, left, left0);
            right0 = Vector256.MultiplyAddEstimate(x, right, right0);
            x = Vector256.Create(x1[k]);
            left1 = Vector256.MultiplyAddEstimate(x, left, left1);
            right1 = Vector256.MultiplyAddEstimate(x, right, right1);
            x = Vector256.Create(x2[k]);
            left2 = Vector256.MultiplyAddEstimate(x, left, left2);
            right2 = Vector256.MultiplyAddEstimate(x, right, right2);
            x = Vector256.Create(x3[k]);
            left3 = Vector256.MultiplyAddEstimate(x, left, left3);
            right3 = Vector256.MultiplyAddEstimate(x, right, right3);
            if (isSix)
            {
                x = Vector256.Create(x4[k]);
                left4 = Vector256.MultiplyAddEstimate(x, left, left4);
                right4 = Vector256.MultiplyAddEstimate(x, right, right4);
                x = Vector256.Create(x5[k]);
                left5 = Vector256.MultiplyAddEstimate(x, left, left5);
                right5 = Vector256.MultiplyAddEstimate(x, right, right5);
            }
        }

        left0.Store(y0);
        right0.Store(y0 + Half);
        left1.Store(y1);
        right1.Store(y1 + Half);
        left2.Store(y2);
        right2.Store(y2 + Half);
        left3.Store(y3);
        right3.Store(y3 + Half);
        if (!isSix)
            return;
        float* y4 = output + (row4 * outputStep), y5 = output + (row5 * outputStep);
        left4.Store(y4);
        right4.Store(y4 + Half);
        left5.Store(y5);
        right5.Store(y5 + Half);
    }

    private readonly struct Four;

    private readonly struct Six;
}
