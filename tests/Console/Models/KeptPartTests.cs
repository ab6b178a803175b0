using PixelCnnCluster.Client.Models;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests.Models;

/// <summary>What stays of an image that is completed, and how that is shown.</summary>
public sealed class KeptPartTests
{
    private static readonly ModelInfo Model = new()
    {
        Path = "/model",
        Run = "run",
        Step = 1,
        StateHash = "hash",
        Channels = 3,
        Size = 2,
        Spec = Presets.Quick,
    };

    [Theory]
    [InlineData("top", "1111111100000000")]
    [InlineData("left", "1100110011001100")]
    [InlineData("1", "1111000000000000")]
    [InlineData("3", "1111111111110000")]
    public void A_part_is_a_name_or_a_number_of_rows(string part, string kept) =>
        Assert.Equal(kept, string.Concat(KeptPart.Read(part, size: 4).Select(stays => stays ? '1' : '0')));

    [Fact]
    public void The_picture_has_for_each_image_itself_what_was_kept_and_the_completions()
    {
        byte[] first = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], second = [.. first.Select(value => (byte)(value + 100))];
        byte[] drawn = [.. Enumerable.Range(0, 4).SelectMany(i => Enumerable.Repeat((byte)(200 + i), 12))];

        (ImageStack images, int? columns) = KeptPart.Grid(
            Model, new([.. first, .. second], [true, false, true, false], Each: 2), new(drawn, 4, 3, 2));

        Assert.Equal((8, 4), (images.Count, columns));
        Assert.Equal(first, images.Image(0).ToArray());
        Assert.Equal([1, 128, 3, 128, 5, 128, 7, 128, 9, 128, 11, 128], images.Image(1).ToArray());
        Assert.Equal([200, 201, 202, 203], new[] { 2, 3, 6, 7 }.Select(i => (int)images.Image(i)[0]));
        Assert.Equal(second, images.Image(4).ToArray());
    }

    [Fact]
    public void Rows_find_their_images_in_whatever_order_and_however_often_they_come()
    {
        var drawn = new SampledImages(Model, count: 3);
        // [images, C, W]
        drawn.Add(new(1, 3, Row: 0, [.. Enumerable.Range(1, 12).Select(i => (byte)i)]));
        drawn.Add(new(1, 3, Row: 0, [.. Enumerable.Range(1, 12).Select(i => (byte)i)]));
        Assert.Equal(2.0 / 6, drawn.Done);
        drawn.Add(new(0, 1, Row: 0, new byte[6]));
        drawn.Add(new(0, 1, Row: 1, [21, 22, 23, 24, 25, 26]));

        Assert.Equal(4.0 / 6, drawn.Done);
        Assert.Equal([0, 0, 21, 22, 0, 0, 23, 24, 0, 0, 25, 26], drawn.Images.Image(0).ToArray());
        Assert.Equal([1, 2, 0, 0, 3, 4, 0, 0, 5, 6, 0, 0], drawn.Images.Image(1).ToArray());
        Assert.Equal([7, 8, 0, 0, 9, 10, 0, 0, 11, 12, 0, 0], drawn.Images.Image(2).ToArray());
    }
}
