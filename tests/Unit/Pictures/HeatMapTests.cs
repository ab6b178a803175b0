using PixelCnnCluster.Pictures;

namespace PixelCnnCluster.Unit.Tests.Pictures;

public sealed class HeatMapTests
{
    [Fact]
    public void None_is_black_and_the_brightest_and_more_are_bright_yellow()
    {
        byte[] image = HeatMap.Of([0, 24, 25, float.PositiveInfinity], brightest: 24);

        Assert.Equal([0, 252, 252, 252, 0, 255, 255, 255, 0, 164, 164, 164], image);
    }

    [Fact]
    public void Colours_between_two_of_the_scale_are_mixed()
    {
        // The scale has eight steps: 0.5 lies halfway into the first, 4 at the end of the fourth, 7.5 halfway into the last.
        byte[] image = HeatMap.Of([0.5f, 4, 7.5f, 0], brightest: 8);

        Assert.Equal(
            [(16, 6, 37), (188, 55, 84), (250, 229, 108), (0, 0, 0)],
            Enumerable.Range(0, 4).Select(i => ((int)image[i], (int)image[4 + i], (int)image[8 + i])));
    }

    [Fact]
    public void More_bits_are_never_darker()
    {
        float[] bits = [.. Enumerable.Range(0, 1024).Select(i => i / 64f)];
        byte[] image = HeatMap.Of(bits, brightest: 15);

        // Rec. 709's weights of linear light; the scale's steps are equal in lightness, not in it, but the order is the same.
        double[] light = [.. Enumerable.Range(0, 1024).Select(
            i => (0.2126 * Linear(image[i])) + (0.7152 * Linear(image[1024 + i])) + (0.0722 * Linear(image[2048 + i])))];
        Assert.All(light.Zip(light.Skip(1)), pair => Assert.True(pair.Second > pair.First - 0.002, $"{pair.First} then {pair.Second}"));
        Assert.True(light[^1] > 0.9);

        static double Linear(byte value) => Math.Pow(value / 255.0, 2.2);
    }
}
