using PixelCnnCluster.Training.Data;

namespace PixelCnnCluster.Unit.Tests.Data;

public sealed class ImageSetTests
{
    [Fact]
    public void Images_and_labels_stay_together_over_many_blocks()
    {
        var builder = new ImageSetBuilder(channels: 3, size: 8, classes: 7);
        for (int i = 0; i < 5000; i++)
            BitConverter.TryWriteBytes(builder.Add(i % 7), i);

        ImageSet images = builder.Build();

        Assert.Equal((5000, 3, 8, 7), (images.Count, images.Channels, images.Size, images.Classes));
        Assert.All(Enumerable.Range(0, 5000), i =>
        {
            Assert.Equal(192, images.Image(i).Length);
            Assert.Equal((i, i % 7), (BitConverter.ToInt32(images.Image(i)), images.Label(i)));
        });
        Assert.Throws<ArgumentOutOfRangeException>(() => images.Image(5000).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => images.Image(-1).Length);
    }
}
