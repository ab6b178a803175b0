using PixelCnnCluster.Contracts;
using PixelCnnCluster.Pictures;
using PixelCnnCluster.Unit.Tests.Data;
using SkiaSharp;

namespace PixelCnnCluster.Unit.Tests.Pictures;

public sealed class PictureGridTests : IDisposable
{
    private readonly TempFolder _temp = new();

    public void Dispose() => _temp.Dispose();

    [Theory]
    [InlineData(1, null, 1, 1)]
    [InlineData(5, null, 3, 2)]
    [InlineData(9, null, 3, 3)]
    [InlineData(5, 2, 2, 3)]
    [InlineData(4, 1, 1, 4)]
    [InlineData(3, 5, 5, 1)]
    public void Images_go_row_by_row_with_white_between(int count, int? columns, int across, int down)
    {
        // A side of 300 is not enlarged.
        const int size = 300, cell = size + 2;
        ImageStack images = new(
            [.. Enumerable.Range(0, count).SelectMany(i => Enumerable.Repeat((byte)(10 + i), size * size))], count, 1, size);

        using SKBitmap grid = Render(images, columns);

        Assert.Equal(((across * cell) + 2, (down * cell) + 2), (grid.Width, grid.Height));
        for (int i = 0; i < across * down; i++)
        {
            int left = 2 + (i % across * cell), top = 2 + (i / across * cell);
            SKColor colour = i < count ? new SKColor((byte)(10 + i), (byte)(10 + i), (byte)(10 + i)) : SKColors.White;
            Assert.Equal([colour, colour, SKColors.White, SKColors.White], new[]
            {
                grid.GetPixel(left, top), grid.GetPixel(left + size - 1, top + size - 1), grid.GetPixel(left - 1, top),
                    grid.GetPixel(left, top - 1),
            });
        }
    }

    [Fact]
    public void Small_images_are_enlarged_by_a_whole_factor()
    {
        using SKBitmap grid = Render(new([1, 2, 3, 4, 11, 12, 13, 14, 21, 22, 23, 24], Count: 1, Channels: 3, Size: 2), columns: null);

        Assert.Equal((484, 484), (grid.Width, grid.Height));
        for (int i = 0; i < 4; i++)
        {
            int left = 2 + (i % 2 * 240), top = 2 + (i / 2 * 240);
            var colour = new SKColor((byte)(1 + i), (byte)(11 + i), (byte)(21 + i));
            Assert.Equal([colour, colour], new[] { grid.GetPixel(left, top), grid.GetPixel(left + 239, top + 239) });
        }
    }

    [Fact]
    public void Grey_images_stand_beside_colour_ones_as_colour()
    {
        ImageStack grey = new([1, 2, 3, 4, 5, 6, 7, 8], Count: 2, Channels: 1, Size: 2);

        ImageStack colour = grey.ToColour();

        Assert.Equal((2, 3, 2), (colour.Count, colour.Channels, colour.Size));
        Assert.Equal([1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4], colour.Image(0).ToArray());
        Assert.Equal([5, 6, 7, 8, 5, 6, 7, 8, 5, 6, 7, 8], colour.Image(1).ToArray());
        Assert.Same(colour, colour.ToColour());
        Assert.Equal([1, 2, 3, 4], grey.Image(0).ToArray());
    }

    private SKBitmap Render(ImageStack images, int? columns)
    {
        string path = Path.Combine(_temp.Path, "new/grid.png");
        PictureGrid.Write(path, images, columns);
        Assert.Equal([path], Directory.GetFiles(Path.GetDirectoryName(path)!));
        return SKBitmap.Decode(path);
    }
}
