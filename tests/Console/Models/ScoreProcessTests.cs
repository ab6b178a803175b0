using System.Globalization;
using System.Text.Json;
using PixelCnnCluster.Pictures;

namespace PixelCnnCluster.Console.Tests.Models;

/// <summary>Scores come from the console and a silo, each a process, and weights move through them.</summary>
[Collection(nameof(TrainedRun))]
[Trait("Needs", "processes")]
public sealed class ScoreProcessTests(TrainedRun run)
{
    private const double Tolerance = 1e-6;

    [Fact]
    public async Task Scores_sum_to_the_test_score_of_training()
    {
        string[] lines =
            (await run.DoAsync(
                "score", "--data-set", "mnist", "--data-dir", run.File("data"), "--model", run.Run, "--batch", "5", "--csv")).TrimEnd()
                    .Split('\n');
        JsonElement mean = await EvaluateAsync(run.Run, run.File("data"));

        Assert.Equal((SmallImages.Test + 1, "image,bits,bits_per_dim"), (lines.Length, lines[0]));
        double[][] rows = [.. lines.Skip(1).Select(
            line => line.Split(',').Select(cell => double.Parse(cell, CultureInfo.InvariantCulture)).ToArray())];
        Assert.Equal(Enumerable.Range(0, SmallImages.Test).Select(i => (double)i), rows.Select(row => row[0]));
        Assert.Equal(
            mean.GetProperty("bits_per_dim").GetDouble(), rows.Sum(row => row[1]) / (SmallImages.Test * SmallImages.Pixels), Tolerance);
        Assert.Equal(run.Model.TestBitsPerDim!.Value, rows.Average(row => row[2]), Tolerance);
        Assert.Equal(
            (SmallImages.Test, "mnist", false),
            (mean.GetProperty("images").GetInt32(), mean.GetProperty("data_set").GetString(), mean.GetProperty("train").GetBoolean()));
    }

    [Fact]
    public async Task Image_files_are_scored_by_name_with_a_map_and_as_json_the_same_on_any_cluster()
    {
        string first = run.File("first.png"), second = run.File("second.png"), map = run.File("map.png");
        PictureFile.Write(first, SmallImages.Image(factor: 0), 1, SmallImages.Size);
        PictureFile.Write(second, SmallImages.Image(factor: 37), 1, SmallImages.Size);

        string[] table = (await TrainedRun.DoAloneAsync("score", first, second, "--model", run.Run, "--map", map)).Split('\n');
        var events = (await run.DoAsync("score", second, first, "--model", run.Run, "--json")).TrimEnd().Split('\n')
            .Select(line => JsonDocument.Parse(line).RootElement).ToList();

        Assert.StartsWith(first, table[1], StringComparison.Ordinal);
        Assert.StartsWith(second, table[2], StringComparison.Ordinal);
        List<JsonElement> images = events.FindAll(e => e.GetProperty("event").GetString() == "image");
        Assert.Equal([second, first], images.Select(e => e.GetProperty("image").GetString()));
        Assert.Equal(
            images.Average(e => e.GetProperty("bits_per_dim").GetDouble()), events[^1].GetProperty("bits_per_dim").GetDouble(), Tolerance);
        Assert.EndsWith(
            images[0].GetProperty("bits_per_dim").GetDouble().ToString("0.000", CultureInfo.InvariantCulture), table[2],
            StringComparison.Ordinal);
        using var picture = new Picture(map, new MemoryStream(await File.ReadAllBytesAsync(map, TestContext.Current.CancellationToken)));
        Assert.True(
            picture.Width == picture.Height
                && picture.Width > 2 * SmallImages.Size,
                $"two images, each beside its map, are as high as wide, not {picture.Width}x{picture.Height} pixels");
    }

    /// <param name="size">Files of PyTorch do not say it, and all data sets of grey images are 28 pixels wide.</param>
    [Theory]
    [InlineData("pth", 28)]
    [InlineData("safetensors", SmallImages.Size)]
    public async Task What_is_exported_and_imported_scores_the_same_and_trains_on(string ending, int size)
    {
        string data = run.File($"data-{ending}"), trained = run.File($"trained-{ending}"), file = run.File($"weights.{ending}"),
            imported = run.File($"imported-{ending}");
        string[] oneStep = ["train", "--json", "--max-steps", "1", .. SmallImages.Flags(data, size), .. TrainedRun.Smallest, "--save-dir"];
        await run.DoAsync([.. oneStep, trained]);
        Assert.Contains(file, await run.DoAsync("export", "--model", trained, "-o", file), StringComparison.Ordinal);
        Assert.Contains(imported, await run.DoAsync("import", file, "--save-dir", imported), StringComparison.Ordinal);

        Assert.Equal(
            (await EvaluateAsync(trained, data)).GetProperty("bits_per_dim").GetDouble(),
            (await EvaluateAsync(imported, data)).GetProperty("bits_per_dim").GetDouble(), 1e-4);

        string told = await run.DoAsync([.. oneStep, run.File($"on-{ending}"), "--load-params", imported]);
        JsonElement ended = JsonDocument.Parse(told.TrimEnd().Split('\n')[^1]).RootElement;
        Assert.Equal(("ended", 1), (ended.GetProperty("event").GetString(), ended.GetProperty("step").GetInt64()));
    }

    [Fact]
    public async Task Weights_that_cannot_be_moved_are_refused_with_the_reason()
    {
        string text = run.File("text.pth"), none = run.File("none.pth");
        await File.WriteAllTextAsync(text, "no weights", TestContext.Current.CancellationToken);

        Assert.StartsWith(
            $"{text} is no zip archive as PyTorch writes", await run.MistakeAsync("import", text, "--save-dir", run.File("new")),
            StringComparison.Ordinal);
        Assert.StartsWith(
            $"{none} cannot be read", await run.MistakeAsync("import", none, "--save-dir", run.File("new")), StringComparison.Ordinal);
        Assert.EndsWith(
            "holds a checkpoint already (step-000000002.safetensors); give a folder without any with --save-dir.\n",
            await run.MistakeAsync("import", text, "--save-dir", run.Run), StringComparison.Ordinal);
        Assert.Contains(
            "ends neither in .safetensors nor in .pth",
            await run.MistakeAsync("export", "--model", run.Run, "-o", run.File("weights.bin")), StringComparison.Ordinal);
        Assert.False(Directory.Exists(run.File("new")), "nothing is made of a refused file");
    }

    /// <summary>By one that has not loaded the same model from a file that is whole.</summary>
    [Fact]
    public async Task A_damaged_checkpoint_is_refused_by_the_silo()
    {
        string damaged = run.File("damaged.safetensors");
        byte[] bytes = await File.ReadAllBytesAsync(run.Model.Path, TestContext.Current.CancellationToken);
        bytes[^20] ^= 1;
        await File.WriteAllBytesAsync(damaged, bytes, TestContext.Current.CancellationToken);

        Assert.Contains(
            $"\n{damaged} cannot be used: its checksum does not fit its content; take an earlier checkpoint",
            await TrainedRun.MistakeAloneAsync("evaluate", "--model", damaged), StringComparison.Ordinal);
    }

    private async Task<JsonElement> EvaluateAsync(string model, string data)
    {
        string output = await run.DoAsync("evaluate", "--json", "--model", model, "--data-set", "mnist", "--data-dir", data);
        return JsonDocument.Parse(output.TrimEnd().Split('\n')[^1]).RootElement;
    }
}
