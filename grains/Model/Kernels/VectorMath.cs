using System.Runtime.Intrinsics;

namespace PixelCnnCluster.Model.Kernels;

/// <summary>Sixteen floats at a time: what the fused kernels share.</summary>
internal static class VectorMath
{
    public const int Count = 16;

    /// <summary>0, 2, 4, ... 30.</summary>
    public static Vector512<uint> Even { get; } = Vector512.Create(0u, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);

    /// <summary>Up to sixteen floats, the rest zero.</summary>
    public static Vector512<float> Load(ReadOnlySpan<float> source)
    {
        Span<float> whole = stackalloc float[Count];
        source[..Math.Min(Count, source.Length)].CopyTo(whole);
        return Vector512.Create((ReadOnlySpan<float>)whole);
    }

    /// <summary>As many floats as <paramref name="target"/> has room for.</summary>
    public static void Store(Vector512<float> value, Span<float> target)
    {
        Span<float> whole = stackalloc float[Count];
        value.CopyTo(whole);
        whole[..target.Length].CopyTo(target);
    }

    public static Vector512<float> Sigmoid(Vector512<float> x) => Vector512<float>.One / (Vector512<float>.One + Exp(-x));

    /// <summary>
    /// 2^n e^r for x = n ln 2 + r, by the polynomial of Cephes' expf: within 2e-7 of the value. The runtime's own computes in float64,
    /// which is slower. Below -87.33 and above 88.37 it stays what it is there, and what is not a number stays so.
    /// </summary>
    public static Vector512<float> Exp(Vector512<float> x)
    {
        x = Vector512.MinNative(Vector512.Create(88.37f), Vector512.MaxNative(Vector512.Create(-87.33f), x));
        var n = Vector512.Round(x * 1.44269504f);
        var r = Vector512.MultiplyAddEstimate(n, Vector512.Create(-0.693359375f), x);
        r = Vector512.MultiplyAddEstimate(n, Vector512.Create(2.12194440e-4f), r);
        var sum = Vector512.Create(1.9875691500e-4f);
        sum = Vector512.MultiplyAddEstimate(sum, r, Vector512.Create(1.3981999507e-3f));
        sum = Vector512.MultiplyAddEstimate(sum, r, Vector512.Create(8.3334519073e-3f));
        sum = Vector512.MultiplyAddEstimate(sum, r, Vector512.Create(4.1665795894e-2f));
        sum = Vector512.MultiplyAddEstimate(sum, r, Vector512.Create(1.6666665459e-1f));
        sum = Vector512.MultiplyAddEstimate(sum, r, Vector512.Create(5.0000001201e-1f));
        sum = Vector512.MultiplyAddEstimate(sum, r * r, r) + Vector512<float>.One;
        Vector512<int> exponent = Vector512.ConvertToInt32Native(n) + Vector512.Create(127);
        return sum * Vector512.ShiftLeft(exponent, 23).AsSingle();
    }

    /// <summary>elu(x) and elu(-x) by one exponential.</summary>
    public static (Vector512<float> Positive, Vector512<float> Negative) ConcatElu(Vector512<float> x)
    {
        Vector512<float> below = Exp(-Vector512.Abs(x)) - Vector512<float>.One;
        var isPositive = Vector512.GreaterThan(x, Vector512<float>.Zero);
        return (Vector512.ConditionalSelect(isPositive, x, below), Vector512.ConditionalSelect(isPositive, below, -x));
    }

    /// <summary>A well-mixed word for each counter (the finaliser of MurmurHash3, keyed at its start and in its middle).</summary>
    public static Vector512<uint> Hash(Vector512<uint> counter, uint key)
    {
        Vector512<uint> h = counter ^ Vector512.Create(key);
        h = (h ^ Vector512.ShiftRightLogical(h, 16)) * Vector512.Create(0x85EBCA6Bu);
        h = (h ^ Vector512.ShiftRightLogical(h, 13) ^ Vector512.Create(key * 0x9E3779B1u)) * Vector512.Create(0xC2B2AE35u);
        return h ^ Vector512.ShiftRightLogical(h, 16);
    }
}
