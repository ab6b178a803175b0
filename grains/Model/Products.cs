using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PixelCnnCluster.Model;

/// <summary>
/// Matrix products that the tensor library is slow at: those too small for its calls, those of rows that overlap, as a convolution's input has them, and those
/// whose rounding must not depend on how many rows there are. Each output is one chain of multiply-adds in a fixed order.
/// </summary>
internal static unsafe class Products
{
    /// <summary>Channels come in whole multiples of this: two vectors, which with six rows keep the multiply-add units busy and fit sixteen registers.</summary>
    public const int Block = 2 * Half;

    private const int Half = 8;

    /// <summary>output[row] += input[row] x matrix for rows at a constant distance.</summary>
    /// <param name="matrix">Blocks of outputs, each [inner, <see cref="Block"/>].</param>
    /// <param name="matrixStep">Floats from one block of outputs to the next.</param>
    public static void Add(float* input, int inputStep, float* matrix, int inner, int matrixStep, int blocks, float* output, int outputStep, int rows)
    {
        // Blocks outermost: large matrices are read from memory once, whatever the number of rows.
        for (int block = 0; block < blocks; block++)
            AddBlock(new(input, inputStep, output + (block * Block), outputStep, rows), 1, matrix + ((long)block * matrixStep), Block, inner);
    }

    /// <summary>output += input^T x other: output [rows, columns], input [inner, rows], other [inner, columns].</summary>
    /// <param name="inputStep">Floats from one row of the input to the next, which may be fewer than a row has.</param>
    /// <param name="columns">A multiple of <see cref="Block"/>.</param>
    public static void AddTransposed(float* input, int inputStep, float* other, int inner, float* output, int rows, int columns)
    {
        for (int column = 0; column < columns; column += Block)
            AddBlock(new(input, 1, output + column, columns, rows), inputStep, other + column, columns, inner);
    }

    /// <summary>output[row] += input[row] x matrix for one block of outputs.</summary>
    /// <param name="innerStep">Floats from one number of a row of the input to the next.</param>
    /// <param name="matrixStep">Floats from one row of the matrix to the next.</param>
    /// <param name="start">A block that each row's sum begins with in place of what lies in the output; null for that.</param>
    public static void AddBlock(ProductRows rows, int innerStep, float* matrix, int matrixStep, int inner, float* start = null)
    {
        float** input = stackalloc float*[6], output = stackalloc float*[6], starts = stackalloc float*[] { start, start, start, start, start, start };
        while (rows.Left > 0)
        {
            if (rows.Left > 4)
            {
                rows.Take(6, input, output);
                AddTile<Six>(input, innerStep, matrix, matrixStep, inner, start is null ? output : starts, output);
            }
            else
            {
                rows.Take(4, input, output);
                AddTile<Four>(input, innerStep, matrix, matrixStep, inner, start is null ? output : starts, output);
            }
        }
    }

    /// <summary>Some rows by one block, held in registers. (Vectors of 512 bits would be taken apart where the processor has none, with twice the moves between registers.)</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void AddTile<TRows>(float** input, long innerStep, float* matrix, long matrixStep, long inner, float** start, float** output)
        where TRows : struct
    {
        // The compiler makes a method of each kind, without what does not concern it.
        bool isSix = typeof(TRows) == typeof(Six);
        float* x0 = input[0];
        float* x1 = input[1];
        float* x2 = input[2];
        float* x3 = input[3];
        float* x4 = isSix ? input[4] : null;
        float* x5 = isSix ? input[5] : null;
        Vector256<float> left0 = Vector256.Load(start[0]), right0 = Vector256.Load(start[0] + Half);
        Vector256<float> left1 = Vector256.Load(start[1]), right1 = Vector256.Load(start[1] + Half);
        Vector256<float> left2 = Vector256.Load(start[2]), right2 = Vector256.Load(start[2] + Half);
        Vector256<float> left3 = Vector256.Load(start[3]), right3 = Vector256.Load(start[3] + Half);
        Vector256<float> left4 = isSix ? Vector256.Load(start[4]) : default, right4 = isSix ? Vector256.Load(start[4] + Half) : default;
        Vector256<float> left5 = isSix ? Vector256.Load(start[5]) : default, right5 = isSix ? Vector256.Load(start[5] + Half) : default;
        for (long k = 0, end = inner * innerStep; k != end; k += innerStep, matrix += matrixStep)
        {
            Vector256<float> left = Vector256.Load(matrix), right = Vector256.Load(matrix + Half);
            Vector256<float> x = Vector256.Create(x0[k]);
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

        left0.Store(output[0]);
        right0.Store(output[0] + Half);
        left1.Store(output[1]);
        right1.Store(output[1] + Half);
        left2.Store(output[2]);
        right2.Store(output[2] + Half);
        left3.Store(output[3]);
        right3.Store(output[3] + Half);
        if (!isSix)
            return;
        left4.Store(output[4]);
        right4.Store(output[4] + Half);
        left5.Store(output[5]);
        right5.Store(output[5] + Half);
    }

    private readonly struct Four;

    private readonly struct Six;
}

/// <summary>Rows of a product's input and output: at constant distances, or those of an image, with a gap after each line of it.</summary>
internal unsafe struct ProductRows(float* input, int inputStep, float* output, int outputStep, int rows)
{
    private int column;

    public int Left { get; private set; } = rows;

    /// <summary>Rows of a line.</summary>
    public int Width { get; init; } = rows;

    /// <summary>Floats between a line's last row and the next line's first.</summary>
    public int InputGap { get; init; }

    /// <inheritdoc cref="InputGap"/>
    public int OutputGap { get; init; }

    /// <summary>Where the next rows are. Those past the last repeat it: they compute the same values and store them again.</summary>
    public void Take(int count, float** inputs, float** outputs)
    {
        if (Left > count && column + count < Width)
        {
            for (int i = 0; i < count; i++, input += inputStep, output += outputStep)
            {
                inputs[i] = input;
                outputs[i] = output;
            }

            column += count;
            Left -= count;
            return;
        }

        for (int i = 0; i < count; i++)
        {
            inputs[i] = input;
            outputs[i] = output;
            if (--Left <= 0)
                continue;
            input += inputStep;
            output += outputStep;
            if (++column == Width)
            {
                column = 0;
                input += InputGap;
                output += OutputGap;
            }
        }
    }
}
