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
    public static Color?[,] Grid(SamplesDrawn samples, int width, int height)
    {
        var stride = (samples.Size + width - 1) / Math.Max(1, width);
        var side = (samples.Size + stride - 1) / stride;
        var columns = Math.Clamp((width + Gap) / (side + Gap), 1, Math.Max(1, samples.Count));
        var rows = Math.Clamp((2 * height + Gap) / (side + Gap), 1, (samples.Count + columns - 1) / columns);
        var lines = rows * (side + Gap) - Gap;
        var grid = new Color?[lines + lines % 2, columns * (side + Gap) - Gap];
        for (var image = 0; image < Math.Min(samples.Count, rows * columns); image++)
            for (var y = 0; y < side; y++)
                for (var x = 0; x < side; x++)
                    grid[image / columns * (side + Gap) + y, image % columns * (side + Gap) + x] = Pixel(samples, image, y * stride, x * stride);
        return grid;
    }

    public static Paragraph Render(Color?[,] grid)
    {
        var text = new Paragraph();
        for (var y = 0; y < grid.GetLength(0); y += 2)
        {
            for (var x = 0; x < grid.GetLength(1); x++)
            {
                var (upper, lower) = (grid[y, x], grid[y + 1, x]);
                text.Append(upper is null && lower is null ? " " : "▀", new Style(upper ?? Color.Black, lower ?? Color.Default));
            }

            text.Append("\n");
        }

        return text;
    }

    /// <summary>From [Count, Channels, Size, Size]; one channel is grey.</summary>
    private static Color Pixel(SamplesDrawn samples, int image, int y, int x)
    {
        byte Channel(int channel) =>
            samples.Pixels[((image * samples.Channels + Math.Min(channel, samples.Channels - 1)) * samples.Size + y) * samples.Size + x];
        return new Color(Channel(0), Channel(1), Channel(2));
    }
}
