using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Model;

/// <summary>What the network says of a pixel depends on the pixels before it in raster order, and on nothing else.</summary>
public sealed class CausalityTests
{
    private const int Size = 8;

    /// <summary>Rows and columns: corners, edges, the borders of the quarter-size grid and the middle.</summary>
    private static readonly (int Y, int X)[] Positions = [(0, 0), (0, 3), (0, 7), (3, 0), (3, 7), (4, 4), (6, 1), (7, 6)];

    /// <summary>Every combination of options.</summary>
    public static TheoryData<int, Nonlinearity, bool, bool, bool, bool> Combinations
    {
        get
        {
            var data = new TheoryData<int, Nonlinearity, bool, bool, bool, bool>();
            bool[] both = [false, true];
            foreach (int channels in new[] { 1, 3 })
            {
                foreach (Nonlinearity nonlinearity in Enum.GetValues<Nonlinearity>())
                {
                    for (int bits = 0; bits < 16; bits++)
                        data.Add(channels, nonlinearity, (bits & 1) > 0, (bits & 2) > 0, (bits & 4) > 0, (bits & 8) > 0);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Combinations))]
    public void A_pixel_changes_only_what_comes_after_it(
        int channels, Nonlinearity nonlinearity, bool classes, bool coordinates, bool nonLocal, bool energyDistance)
    {
        using DisposeScope scope = NewDisposeScope();
        using var tiny = new TinyNetwork(new()
        {
            Channels = channels,
            Size = Size,
            Classes = classes ? 3 : 0,
            Blocks = 1,
            Filters = 4,
            Mixtures = 1,
            Nonlinearity = nonlinearity,
            CoordinateChannels = coordinates,
            NonLocal = nonLocal,
            EnergyDistance = energyDistance,
        });
        Tensor? labels = classes ? ones([Positions.Length], ScalarType.Int64) : null;
        foreach ((int raster, float[] changes) in ChangesOfPixels(
            tiny, [.. Positions.Select(position => (position.Y * Size) + position.X)], labels))
        {
            Assert.All(changes[..(raster + 1)], change => Assert.Equal(0, change));
            Assert.True(changes[(raster + 1)..].Max() > 1e-6, $"Nothing depends on pixel {raster}.");
        }
    }

    [Fact]
    public void A_pixel_counts_in_its_neighbours_to_the_right_and_below()
    {
        using DisposeScope scope = NewDisposeScope();
        using var tiny = new TinyNetwork(TinyNetwork.Shape with { NonLocal = true });
        foreach ((int raster, float[] changes) in ChangesOfPixels(tiny, [.. Enumerable.Range(0, (Size * Size) - 1)], labels: null))
        {
            Assert.All(changes[..(raster + 1)], change => Assert.Equal(0, change));
            if (raster % Size < Size - 1)
                Assert.True(changes[raster + 1] > 0, $"Pixel {raster + 1} does not see the one to its left.");
            if (raster < Size * (Size - 1))
                Assert.True(changes[raster + Size] > 0, $"Pixel {raster + Size} does not see the one above.");
        }
    }

    [Fact]
    public void Labels_reach_every_pixel()
    {
        using DisposeScope scope = NewDisposeScope();
        using var tiny = new TinyNetwork(TinyNetwork.Shape with { Classes = 3 });
        Tensor images = tiny.Images(1);
        float[] changes = Assert.Single(
            Changes(tiny.Forward(images, tensor(new long[] { 0 })), tiny.Forward(images, tensor(new long[] { 2 }))));
        Assert.All(changes, change => Assert.NotEqual(0, change));
    }

    [Theory]
    [InlineData(false, false, false)]
    [InlineData(true, true, true)]
    public void Rows_below_do_not_matter(bool coordinates, bool nonLocal, bool classes)
    {
        using DisposeScope scope = NewDisposeScope();
        using var tiny = new TinyNetwork(TinyNetwork.Shape with
        {
            Channels = 3,
            Size = 12,
            CoordinateChannels = coordinates,
            NonLocal = nonLocal,
            Classes = classes ? 2 : 0,
        });
        Tensor? labels = classes ? tensor(new long[] { 1, 0 }) : null;
        Tensor images = tiny.Images(2);
        Tensor whole = tiny.Forward(images, labels);
        foreach (int rows in new[] { 4, 8 })
            Assert.InRange(tiny.Forward(images.narrow(2, 0, rows), labels).DistanceTo(whole.narrow(2, 0, rows)), 0, 1e-5f);
    }

    /// <summary>
    /// Changes one pixel in each image of a batch of the same images, and says what that changes of each pixel of its image.
    /// </summary>
    private static IEnumerable<(int Raster, float[] Changes)> ChangesOfPixels(TinyNetwork tiny, int[] rasters, Tensor? labels)
    {
        Tensor images = tiny.Images(1).repeat(rasters.Length, 1, 1, 1), changed = images.clone();
        foreach ((int i, int raster) in rasters.Index())
        {
            Tensor pixel = changed.narrow(0, i, 1).narrow(2, raster / Size, 1).narrow(3, raster % Size, 1);
            pixel.copy_(pixel.Times(-0.5).Plus(0.4));
        }

        return rasters.Zip(Changes(tiny.Forward(images, labels), tiny.Forward(changed, labels)));
    }

    /// <summary>Largest change of what is said of each pixel of each image, in raster order.</summary>
    private static IEnumerable<float[]> Changes(Tensor before, Tensor after)
    {
        Tensor changes = (before - after).abs();
        // Samples of colours come before the images.
        if (changes.dim() == 5)
            changes = changes.amax([0]);
        return changes.amax([1]).Floats().Chunk(Size * Size);
    }
}
