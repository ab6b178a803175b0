namespace PixelCnnCluster.Pictures;

/// <summary>Numbers as colours that grow from black to a bright yellow.</summary>
public static class HeatMap
{
    /// <summary>
    /// Red, green and blue at equal distances of the map 'inferno' (https://bids.github.io/colormap/), whose steps look equally large.
    /// Between them the colour is linear. The map's first entry, (0, 0, 4), is black here.
    /// </summary>
    private static readonly byte[] Scale =
    [
        0, 0, 0,
        33, 12, 74,
        87, 16, 110,
        138, 34, 106,
        188, 55, 84,
        228, 90, 49,
        249, 142, 9,
        249, 203, 53,
        252, 255, 164,
    ];

    /// <summary>A colour for each pixel's bits.</summary>
    /// <param name="bits">[size, size], none below 0.</param>
    /// <param name="brightest">Bits from which on a pixel has the brightest colour; above 0.</param>
    /// <returns>[3, size, size].</returns>
    public static byte[] Of(ReadOnlySpan<float> bits, double brightest)
    {
        int steps = (Scale.Length / 3) - 1;
        byte[] image = new byte[3 * bits.Length];
        for (int i = 0; i < bits.Length; i++)
        {
            double place = Math.Min(bits[i] / brightest, 1) * steps;
            int below = Math.Min((int)place, steps - 1);
            for (int c = 0; c < 3; c++)
            {
                double from = Scale[(3 * below) + c], to = Scale[(3 * (below + 1)) + c];
                image[(c * bits.Length) + i] = (byte)Math.Round(from + ((place - below) * (to - from)));
            }
        }

        return image;
    }
}
