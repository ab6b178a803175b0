namespace PixelCnnCluster.Model.Tensors;

/// <summary>
/// All randomness of a run is a function of its seed and of what it is for; no generator carries state from one use to the next.
/// </summary>
public static class Seeds
{
    /// <summary>The seed for use number <paramref name="index"/> of those that <paramref name="seed"/> covers (splitmix64).</summary>
    public static ulong Derive(ulong seed, ulong index)
    {
        ulong value = seed + (0x9E3779B97F4A7C15 * (index + 1));
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }

    /// <summary>The same along a path of indices.</summary>
    public static ulong Derive(ulong seed, params ReadOnlySpan<ulong> path)
    {
        foreach (ulong index in path)
            seed = Derive(seed, index);
        return seed;
    }
}
