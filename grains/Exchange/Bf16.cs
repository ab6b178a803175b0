using System.Numerics;
using System.Runtime.InteropServices;

namespace PixelCnnCluster.Exchange;

/// <summary>bfloat16: the upper half of a float32.</summary>
public static class Bf16
{
    public const int Bytes = 2;

    /// <summary>Rounds floats to the nearest that bfloat16 has, ties to even. Infinities and NaN stay what they are.</summary>
    public static void Round(Span<float> values)
    {
        Span<uint> bits = MemoryMarshal.Cast<float, uint>(values);
        int i = 0;
        for (; i <= bits.Length - Vector<uint>.Count; i += Vector<uint>.Count)
        {
            var x = new Vector<uint>(bits[i..]);
            var isFinite = Vector.LessThan(x & new Vector<uint>(0x7FFFFFFF), new(0x7F800000));
            Vector<uint> rounded = x + new Vector<uint>(0x7FFF) + ((x >>> 16) & Vector<uint>.One);
            // A NaN whose upper half alone would be an infinity gets a bit there.
            Vector<uint> special = x | Vector.ConditionalSelect(
                Vector.GreaterThan(x & new Vector<uint>(0x7FFFFFFF), new(0x7F800000)), new Vector<uint>(0x00400000), Vector<uint>.Zero);
            (Vector.ConditionalSelect(isFinite, rounded, special) & new Vector<uint>(0xFFFF0000)).CopyTo(bits[i..]);
        }

        for (; i < bits.Length; i++)
        {
            uint x = bits[i], magnitude = x & 0x7FFFFFFF;
            bits[i] = (magnitude < 0x7F800000 ? x + 0x7FFF + ((x >> 16) & 1) : magnitude > 0x7F800000 ? x | 0x00400000 : x) & 0xFFFF0000;
        }
    }

    /// <summary>The upper halves of floats whose lower halves are zero.</summary>
    /// <param name="halves">[values.Length * 2] bytes, little-endian.</param>
    public static void Pack(ReadOnlySpan<float> values, Span<byte> halves)
    {
        ReadOnlySpan<uint> bits = MemoryMarshal.Cast<float, uint>(values);
        Span<ushort> target = MemoryMarshal.Cast<byte, ushort>(halves);
        int i = 0;
        for (; i <= bits.Length - (2 * Vector<uint>.Count); i += 2 * Vector<uint>.Count)
            Vector.Narrow(new Vector<uint>(bits[i..]) >>> 16, new Vector<uint>(bits[(i + Vector<uint>.Count)..]) >>> 16)
                .CopyTo(target[i..]);
        for (; i < bits.Length; i++)
            target[i] = (ushort)(bits[i] >> 16);
    }

    /// <summary>The floats again.</summary>
    public static void Unpack(ReadOnlySpan<byte> halves, Span<float> values)
    {
        ReadOnlySpan<ushort> source = MemoryMarshal.Cast<byte, ushort>(halves);
        Span<uint> bits = MemoryMarshal.Cast<float, uint>(values);
        int i = 0;
        for (; i <= bits.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out Vector<uint> low, out Vector<uint> high);
            (low << 16).CopyTo(bits[i..]);
            (high << 16).CopyTo(bits[(i + Vector<uint>.Count)..]);
        }

        for (; i < bits.Length; i++)
            bits[i] = (uint)source[i] << 16;
    }
}
