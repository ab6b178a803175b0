using System.Runtime.Intrinsics;

namespace PixelCnnCluster.Model;

/// <summary>Sixteen floats at a time: what the fused kernels share.</summary>
internal static class Lanes
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

    public static Vector512<float> Exp(Vector512<float> x) => Vector512.Exp(x);

    /// <summary>elu(x) and elu(-x) by one exponential.</summary>
    public static (Vector512<float> Positive, Vector512<float> Negative) ConcatElu(Vector512<float> x)
    {
        Vector512<float> below = Exp(-Vector512.Abs(x)) - Vector512<float>.One;
        Vector512<float> isPositive = Vector512.GreaterThan(x, Vector512<float>.Zero);
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
