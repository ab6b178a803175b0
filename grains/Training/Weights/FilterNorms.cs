namespace PixelCnnCluster.Training.Weights;

/// <summary>
/// Weight normalisation w = g v / |v| (arXiv 1602.07868) with a norm for each index of one dimension, and back. Norms are rounded to
/// floats before they divide: where g is that norm, w has the very bits of v.
/// </summary>
internal static class FilterNorms
{
    /// <summary>Below, the squares of a filter's weights leave the floats' range.</summary>
    private const float Tiny = 1f / (1L << 60);

    /// <summary>A power of two, which changes no digit.</summary>
    private const float Lift = (float)(1L << 50) * (1L << 50);

    /// <summary>|v| for each index of <paramref name="dimension"/>.</summary>
    public static float[] Of(ReadOnlySpan<float> v, long[] shape, int dimension)
    {
        double[] squares = new double[shape[dimension]];
        var filters = new FilterIndex(shape, dimension);
        for (int i = 0; i < v.Length; i++)
            squares[filters.Of(i)] += (double)v[i] * v[i];
        return [.. squares.Select(square => (float)Math.Sqrt(square))];
    }

    /// <summary>w in the shape of v; not a number where a filter of v is zero and so points nowhere.</summary>
    public static float[] Weight(ReadOnlySpan<float> v, ReadOnlySpan<float> g, long[] shape, int dimension)
    {
        float[] norms = Of(v, shape, dimension), w = new float[v.Length];
        var filters = new FilterIndex(shape, dimension);
        for (int i = 0; i < v.Length; i++)
        {
            int filter = filters.Of(i);
            double factor = norms[filter] == 0 ? double.NaN : (double)g[filter] / norms[filter];
            // Not v times 0, which may be -0.
            w[i] = factor == 0 ? 0 : (float)(v[i] * factor);
        }

        return w;
    }

    /// <summary>Sets v to w and g to its norms. A zero filter gets g = 0 and leaves the direction that v has.</summary>
    public static void Split(ReadOnlySpan<float> w, long[] shape, int dimension, Span<float> v, Span<float> g)
    {
        float[] norms = Of(w, shape, dimension);
        norms.CopyTo(g);
        var filters = new FilterIndex(shape, dimension);
        for (int i = 0; i < w.Length; i++)
        {
            float norm = norms[filters.Of(i)];
            if (norm > 0)
                v[i] = norm < Tiny ? w[i] * Lift : w[i];
        }
    }

    /// <summary>Which filter an element of a tensor belongs to.</summary>
    private readonly struct FilterIndex(long[] shape, int dimension)
    {
        private readonly int _inner = (int)shape.Skip(dimension + 1).Aggregate(1L, (product, side) => product * side);
        private readonly int _count = (int)shape[dimension];

        public int Of(int element) => element / _inner % _count;
    }
}
