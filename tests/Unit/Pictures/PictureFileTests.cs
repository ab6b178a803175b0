using PixelCnnCluster.Pictures;
using PixelCnnCluster.Unit.Tests.Data;
using SkiaSharp;

namespace PixelCnnCluster.Unit.Tests.Pictures;

public sealed class PictureFileTests : IDisposable
{
    private readonly TempFolder _temp = new();

    public void Dispose() => _temp.Dispose();

    [Theory]
    [InlineData(1, 16)]
    [InlineData(3, 16)]
    [InlineData(3, 1)]
    public void What_is_written_is_stored_as_it_is_and_read_back_byte_for_byte(int channels, int size)
    {
        // All levels, so that no colour space or premultiplication goes unseen.
        byte[] image = Formats.Pixels(1, channels * size * size);
        string path = Path.Combine(_temp.Path, "deep/out.png");

        PictureFile.Write(path, image, channels, size);

        Assert.Equal(image, PictureFile.Read(path, channels, size));
        // After signature, length and type come width, height, bit depth and colour type: 0 for grey, 2 for red, green and blue.
        Assert.Equal([0, 0, 0, (byte)size, 0, 0, 0, (byte)size, 8, (byte)(channels == 1 ? 0 : 2)], File.ReadAllBytes(path)[16..26]);
        Assert.Equal([path], Directory.GetFiles(Path.GetDirectoryName(path)!));
    }

    [Fact]
    public void Channels_are_planes_and_lines_go_down()
    {
        string path = Png(4, (x, y) => new SKColor((byte)x, (byte)(10 * y), (byte)(100 + x + y)));

        byte[] image = PictureFile.Read(path, 3, 4);

        Assert.Equal(Enumerable.Range(0, 16).Select(i => (byte)(i % 4)), image[..16]);
        Assert.Equal(Enumerable.Range(0, 16).Select(i => (byte)(10 * (i / 4))), image[16..32]);
        Assert.Equal(Enumerable.Range(0, 16).Select(i => (byte)(100 + (i % 4) + (i / 4))), image[32..]);
    }

    [Fact]
    public void A_grey_image_serves_both_kinds_of_models()
    {
        byte[] grey = Formats.Pixels(1, 64);
        string stored = Path.Combine(_temp.Path, "stored.png");
        PictureFile.Write(stored, grey, 1, 8);
        string shown = Png(8, (x, y) => new SKColor(grey[(8 * y) + x], grey[(8 * y) + x], grey[(8 * y) + x]));

        foreach (string path in new[] { stored, shown })
        {
            Assert.Equal(grey, PictureFile.Read(path, 1, 8));
            Assert.Equal([.. grey, .. grey, .. grey], PictureFile.Read(path, 3, 8));
        }
    }

    [Fact]
    public void Jpeg_images_are_read()
    {
        string path = _temp.Write("a.jpg", Formats.Picture(8, 8, (_, _) => new SKColor(90, 90, 90), SKEncodedImageFormat.Jpeg));
        Assert.All(PictureFile.Read(path, 1, 8), value => Assert.InRange(value, 88, 92));
    }

    [Fact]
    public void One_coloured_pixel_makes_a_colour_image()
    {
        foreach (SKColor odd in new[] { new SKColor(8, 7, 7), new SKColor(7, 8, 7), new SKColor(7, 7, 8) })
        {
            string path = Png(8, (x, y) => x == 7 && y == 7 ? odd : new SKColor(7, 7, 7));
            TempFolder.AssertRefused(
                () => PictureFile.Read(path, 1, 8), $"{path} is a colour image and the model's images are grey; give a grey one.");
            TempFolder.AssertRefused(
                () => PictureFile.ReadMask(path, 8), $"{path} is a colour image and a mask is black and white; give a grey one.");
            Assert.Equal(192, PictureFile.Read(path, 3, 8).Length);
        }
    }

    [Theory]
    [InlineData(254)]
    [InlineData(0)]
    public void Pixels_that_are_not_opaque_are_refused(byte alpha)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(8, 8, SKColorType.Rgba8888, SKAlphaType.Unpremul));
        bitmap.Erase(SKColors.White);
        bitmap.SetPixel(7, 7, new SKColor(255, 255, 255, alpha));
        using SKData data = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        string path = _temp.Write("a.png", data.ToArray());
        AssertBothRefuse(path, $"{path} has pixels that are not opaque; save it without transparency.");
    }

    [Fact]
    public void Another_size_is_refused_with_the_right_one()
    {
        string path = _temp.Write("face.png", Formats.Picture(40, 30, (_, _) => SKColors.Black));
        TempFolder.AssertRefused(
            () => PictureFile.Read(path, 1, 28), $"{path} is 40x30 pixels and the model's images are 28x28; give one of that size.");
        TempFolder.AssertRefused(() => PictureFile.ReadMask(path, 40), "is 40x30 pixels and the model's images are 40x40");
        TempFolder.AssertRefused(() => PictureFile.Read(path, 1, 30), "is 40x30 pixels and the model's images are 30x30");
    }

    [Theory]
    [InlineData(SKEncodedImageFormat.Png)]
    [InlineData(SKEncodedImageFormat.Jpeg)]
    public void An_image_that_is_cut_off_is_refused(SKEncodedImageFormat format)
    {
        byte[] whole = Formats.Picture(64, 64, (x, y) => new SKColor((byte)(x * y), (byte)(x ^ y), (byte)(x * 3)), format);
        string path = _temp.Write("a.image", whole);
        Assert.NotEmpty(PictureFile.Read(path, 3, 64));

        foreach (int kept in new[] { whole.Length / 2, whole.Length * 3 / 4 })
        {
            _temp.Write("a.image", whole[..kept]);
            TempFolder.AssertRefused(() => PictureFile.Read(path, 3, 64), $"{path} is cut off or garbled; take it away or replace it.");
        }
    }

    [Theory]
    [InlineData("hello")]
    [InlineData("GIF89a\u0001\0\u0001\0\0\0\0")]
    public void A_file_that_is_no_image_is_refused(string content)
    {
        string path = _temp.Write("a.png", System.Text.Encoding.Latin1.GetBytes(content));
        AssertBothRefuse(path, $"{path} is no PNG or JPEG image; take it away or replace it.");
    }

    /// <summary>A file of a few bytes may promise pixels that would take the memory of a pod.</summary>
    [Fact]
    public void A_picture_that_is_large_for_the_machine_is_refused_before_it_is_decoded()
    {
        const int Side = 80, PerPixel = 8 * 6;
        byte[] file = Formats.Picture(Side, Side, (_, _) => SKColors.Red);

        TempFolder.AssertRefused(
            () => new Picture("p.png", new MemoryStream(file), (PerPixel * Side * Side) - 1),
            "p.png claims 80x80 pixels, more than 6399; take it away or shrink it.");
        using var fits = new Picture("p.png", new MemoryStream(file), PerPixel * Side * Side);
        Assert.Equal(Side, fits.Width);
    }

    [Fact]
    public void What_cannot_be_read_is_refused()
    {
        string empty = _temp.Write("empty.png", []);
        AssertBothRefuse(empty, $"{empty} is empty, or no file; remove it.");

        string path = Path.Combine(_temp.Path, "gone.png");
        AssertBothRefuse(path, $"There is no file '{path}'; give the path of a PNG or JPEG image.");
        AssertBothRefuse("", "There is no file ''");
        AssertBothRefuse(_temp.Path, $"{_temp.Path} is a folder where an image should be; give the path of a PNG or JPEG image.");

        _temp.Write("gone.png", Formats.Picture(8, 8, (_, _) => SKColors.Black));
        using FileStream locked = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        AssertBothRefuse(path, $"{path} cannot be read (", "; mend that or give another image.");
    }

    [Fact]
    public void A_mask_keeps_what_is_white()
    {
        string path = Png(2, (x, y) => ((2 * y) + x) switch
        {
            0 => new SKColor(127, 127, 127),
            1 => new SKColor(128, 128, 128),
            2 => SKColors.White,
            _ => SKColors.Black,
        });

        Assert.Equal([false, true, true, false], PictureFile.ReadMask(path, 2));
    }

    [Fact]
    public void A_mask_that_leaves_no_choice_is_refused()
    {
        string path = Png(4, (_, _) => new SKColor(127, 127, 127));
        TempFolder.AssertRefused(
            () => PictureFile.ReadMask(path, 4), $"{path} keeps nothing, for none of its pixels is white; paint white what is to be kept.");

        Png(4, (_, _) => new SKColor(128, 128, 128));
        TempFolder.AssertRefused(
            () => PictureFile.ReadMask(path, 4),
            $"{path} keeps everything, for all of its pixels are white; paint black what is to be sampled anew.");
    }

    private static void AssertBothRefuse(string path, params string[] parts)
    {
        TempFolder.AssertRefused(() => PictureFile.Read(path, 3, 8), parts);
        TempFolder.AssertRefused(() => PictureFile.ReadMask(path, 8), parts);
    }

    private string Png(int size, Func<int, int, SKColor> colour) => _temp.Write("made.png", Formats.Picture(size, size, colour));
}
