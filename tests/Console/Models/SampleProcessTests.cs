using System.IO.Compression;
using System.Text.Json;
using PixelCnnCluster.Pictures;

namespace PixelCnnCluster.Console.Tests.Models;

/// <summary>Images are sampled and completed by the console and a silo, each a process.</summary>
[Collection(nameof(TrainedRun))]
[Trait("Needs", "processes")]
public sealed class SampleProcessTests(TrainedRun run)
{
    [Fact]
    public async Task The_same_seed_gives_the_same_images_in_every_kind_of_file()
    {
        string folder = run.File("drawn"), npz = run.File("sampled.npz"), other = run.File("other");
        await run.DoAsync("sample", "--model", run.Run, "--count", "3", "--seed", "5", "--output", folder);
        JsonElement told = JsonDocument.Parse(
            (await run.DoAsync(
                "sample", "--model", run.Model.Path, "-n", "3", "-s", "5", "--batch", "1", "-o", npz,
                "--json")).Split('\n')[^2]).RootElement;
        await run.DoAsync("sample", "--model", run.Run, "--count", "3", "--seed", "6", "--output", other);

        Assert.Equal(("drawn", npz, 3, 2L), (
            told.GetProperty("event").GetString(), told.GetProperty("path").GetString(), told.GetProperty("count").GetInt32(),
            told.GetProperty("step").GetInt64()));
        byte[][] images = [.. Enumerable.Range(0, 3).Select(i => Read(Path.Combine(folder, $"00000{i}.png")))];
        Assert.Equal(3, Directory.GetFiles(folder).Length);
        Assert.Equal(images.SelectMany(image => image), await NpyAsync(npz, images: 3));
        Assert.All(images.Index(), image => Assert.NotEqual(image.Item, Read(Path.Combine(other, $"00000{image.Index}.png"))));
    }

    [Fact]
    public async Task A_console_alone_starts_a_silo_and_writes_one_picture_of_all()
    {
        string path = run.File("deep/all.png");
        string told = await TrainedRun.DoAloneAsync(
            "sample", "--model", run.Run, "--count", "2", "--mixture-temperature", "0", "--logistic-temperature", "0", "-o", path);

        Assert.Contains(path, told, StringComparison.Ordinal);
        using var picture = new Picture(path, new MemoryStream(await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken)));
        Assert.True(
            picture.Width > 2 * SmallImages.Size
                && picture.Height >= SmallImages.Size, $"the picture of two images has {picture.Width}x{picture.Height} pixels");
    }

    [Fact]
    public async Task Completions_keep_the_given_pixels_and_differ_below_them()
    {
        string digits = run.File("digits");
        await run.DoAsync("sample", "--model", run.Run, "--count", "2", "--seed", "9", "-o", digits);
        string[] files = [Path.Combine(digits, "000000.png"), Path.Combine(digits, "000001.png")];
        string completed = run.File("completed");
        await run.DoAsync(["complete", .. files, "--model", run.Run, "--keep", "3", "--count", "2", "-o", completed]);

        byte[][] all = [Complete(0, 0), Complete(0, 1), Complete(1, 0), Complete(1, 1)];
        Assert.Equal(4, Directory.GetFiles(completed).Length);
        Assert.All(
            all.Index(), each => Assert.Equal(Read(files[each.Index / 2])[..(3 * SmallImages.Size)], each.Item[..(3 * SmallImages.Size)]));
        Assert.NotEqual(all[0], all[1]);
        Assert.NotEqual(all[2], all[3]);

        byte[] Complete(int image, int k) => Read(Path.Combine(completed, $"00000{image}-{image}-{k}.png"));
    }

    [Fact]
    public async Task A_mask_says_which_pixels_stay()
    {
        string mask = run.File("mask.png"), given = run.File("given.png"), completed = run.File("by-mask.npz");
        bool[] kept = Enumerable.Range(0, SmallImages.Pixels).Select(i => i / SmallImages.Size > 5 || i % SmallImages.Size < 2).ToArray();
        PictureFile.Write(mask, [.. kept.Select(stays => stays ? (byte)255 : (byte)0)], 1, SmallImages.Size);
        byte[] image = SmallImages.Image(factor: 7);
        PictureFile.Write(given, image, 1, SmallImages.Size);

        await run.DoAsync("complete", given, "--model", run.Run, "--keep", mask, "--count", "1", "-o", completed);

        byte[] drawn = await NpyAsync(completed, images: 1);
        Assert.All(kept.Index().Where(pixel => pixel.Item), pixel => Assert.Equal(image[pixel.Index], drawn[pixel.Index]));
        Assert.NotEqual(image, drawn);
    }

    private static byte[] Read(string path) => PictureFile.Read(path, channels: 1, SmallImages.Size);

    /// <summary>The elements of arr_0, which fill the file's end.</summary>
    private static async Task<byte[]> NpyAsync(string path, int images)
    {
        await using ZipArchive zip = await ZipFile.OpenReadAsync(path);
        await using Stream member = await zip.GetEntry("arr_0.npy")!.OpenAsync();
        using var bytes = new MemoryStream();
        await member.CopyToAsync(bytes);
        return bytes.ToArray()[^(images * SmallImages.Pixels)..];
    }
}
