using PixelCnnCluster.Contracts;
using Spectre.Console;

namespace PixelCnnCluster.Client.Display;

/// <summary>
/// Images as text: each character is an upper half block whose foreground is one pixel and whose background is the pixel below.
/// </summary>
public static class HalfBlocks
{
    private const int Gap = 1;

    /// <summary>As many of the images as fit, in rows. Images wider than the terminal are thinned out.</summary>
    /// <param name="width">Characters of a line.</param>
    /// <param name="height">Lines; one row of images is shown even when they do not suffice.</param>
    /// <returns>Pixels by line and column, an even number of lines; null between the images.</returns>
    public static Color?[,] Grid(ImageStack images, int width, int height)
    {
        int stride = (images.Size + width - 1) / Math.Max(1, width);
        int side = (images.Size + stride - 1) / stride;
        int columns = Math.Clamp((width + Gap) / (side + Gap), 1, Math.Max(1, images.Count));
        int rows = Math.Clamp((2 * height + Gap) / (side + Gap), 1, (images.Count + columns - 1) / columns);
        int lines = rows * (side + Gap) - Gap;
        var grid = new Color?[lines + lines % 2, columns * (side + Gap) - Gap];
        for (int image = 0; image < Math.Min(images.Count, rows * columns); image++)
            for (int y = 0; y < side; y++)
                for (int x = 0; x < side; x++)
                    grid[image / columns * (side + Gap) + y, image % columns * (side + Gap)
                        + x] = Pixel(images, image, y * stride, x * stride);
        return grid;
    }

    public static Paragraph Render(Color?[,] grid)
    {
        var text = new Paragraph();
        for (int y = 0; y < grid.GetLength(0); y += 2)
        {
            for (int x = 0; x < grid.GetLength(1); x++)
            {
                (Color? upper, Color? lower) = (grid[y, x], grid[y + 1, x]);
                text.Append(upper is null && lower is null ? " " : "▀", new Style(upper ?? Color.Black, lower ?? Color.Default));
            }

            text.Append("\n");
        }

        return text;
    }

    /// <summary>From [Count, Channels, Size, Size]; one channel is grey.</summary>
    private static Color Pixel(ImageStack images, int image, int y, int x)
    {
        byte Channel(int channel) =>
            images.Pixels[((image * images.Channels + Math.Min(channel, images.Channels - 1)) * images.Size + y) * images.Size + x];
        return new Color(Channel(0), Channel(1), Channel(2));
    }
}
