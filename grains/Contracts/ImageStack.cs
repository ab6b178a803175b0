namespace PixelCnnCluster.Contracts;

/// <summary>Images of one size.</summary>
/// <param name="Pixels">[Count, Channels, Size, Size].</param>
/// <param name="Channels">1 for grey images, 3 for red, green and blue.</param>
/// <param name="Size">Side in pixels.</param>
[GenerateSerializer, Immutable]
public sealed record ImageStack(byte[] Pixels, int Count, int Channels, int Size)
{
    public int ImageBytes => Channels * Size * Size;

    /// <summary>[Channels, Size, Size].</summary>
    public ReadOnlySpan<byte> Image(int index) => Pixels.AsSpan(index * ImageBytes, ImageBytes);

    /// <summary>The same images with three channels: grey ones have red = green = blue.</summary>
    public ImageStack ToColour()
    {
        if (Channels == 3)
            return this;
        byte[] colour = new byte[3 * Pixels.Length];
        for (int i = 0; i < 3 * Count; i++)
            Image(i / 3).CopyTo(colour.AsSpan(i * ImageBytes));
        return new(colour, Count, 3, Size);
    }
}
