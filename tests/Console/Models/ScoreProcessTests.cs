using System.Globalization;
using System.Text.Json;
using PixelCnnCluster.Pictures;

namespace PixelCnnCluster.Console.Tests.Models;

/// <summary>Scores come from the console and a silo, each a process, and weights move through them.</summary>
[Collection(nameof(ConsoleProcess))]
public sealed class ScoreProcessTests(TrainedRun run) : IClassFixture<TrainedRun>
{
    private const double Tolerance = 1e-6;

    [Fact]
    public async Task Scores_sum_to_the_test_score_of_training()
    {
        var lines = (await TrainedRun.DoAsync("score", "--data-set", "digits", "--model", run.Run, "--batch", "300", "--csv")).TrimEnd().Split('\n');
        var mean = await EvaluateAsync();

        Assert.Equal((1001, "image,bits,bits_per_dim"), (lines.Length, lines[0]));
        double[][] rows = [.. lines.Skip(1).Select(line => line.Split(',').Select(cell => double.Parse(cell, CultureInfo.InvariantCulture)).ToArray())];
        Assert.Equal(Enumerable.Range(0, 1000).Select(i => (double)i), rows.Select(row => row[0]));
        Assert.Equal(mean.GetProperty("bits_per_dim").GetDouble(), rows.Sum(row => row[1]) / (1000 * 784), Tolerance);
        Assert.Equal(run.Model.TestBitsPerDim!.Value, rows.Average(row => row[2]), Tolerance);
        Assert.Equal((1000, "digits", false), (mean.GetProperty("images").GetInt32(), mean.GetProperty("data_set").GetString(), mean.GetProperty("train").GetBoolean()));
    }

    [Fact]
    public async Task Image_files_are_scored_by_name_with_a_map_and_as_json()
    {
        string first = run.File("first.png"), second = run.File("second.png"), map = run.File("map.png");
        PictureFile.Write(first, new byte[784], 1, 28);
        PictureFile.Write(second, [.. Enumerable.Range(0, 784).Select(i => (byte)(i * 37))], 1, 28);

        var table = (await TrainedRun.DoAsync("score", first, second, "--model", run.Run, "--map", map)).Split('\n');
        var events = (await TrainedRun.DoAsync("score", second, first, "--model", run.Run, "--json")).TrimEnd().Split('\n').Select(line => JsonDocument.Parse(line).RootElement).ToList();

        Assert.StartsWith(first, table[1], StringComparison.Ordinal);
        Assert.StartsWith(second, table[2], StringComparison.Ordinal);
        var images = events.FindAll(e => e.GetProperty("event").GetString() == "image");
        Assert.Equal([second, first], images.Select(e => e.GetProperty("image").GetString()));
        Assert.Equal(images.Average(e => e.GetProperty("bits_per_dim").GetDouble()), events[^1].GetProperty("bits_per_dim").GetDouble(), Tolerance);
        Assert.EndsWith(images[0].GetProperty("bits_per_dim").GetDouble().ToString("0.000", CultureInfo.InvariantCulture), table[2], StringComparison.Ordinal);
        using var picture = new Picture(map, new MemoryStream(await File.ReadAllBytesAsync(map, TestContext.Current.CancellationToken)));
        Assert.True(picture.Width == picture.Height && picture.Width > 2 * 28, $"two images, each beside its map, are as high as wide, not {picture.Width}x{picture.Height} pixels");
    }

    [Theory]
    [InlineData("pth")]
    [InlineData("safetensors")]
    public async Task What_is_exported_and_imported_scores_the_same_and_trains_on(string ending)
    {
        string file = run.File($"weights.{ending}"), imported = run.File($"imported-{ending}");
        Assert.Contains(file, await TrainedRun.DoAsync("export", "--model", run.Run, "-o", file), StringComparison.Ordinal);
        Assert.Contains(imported, await TrainedRun.DoAsync("import", file, "--save-dir", imported), StringComparison.Ordinal);

        Assert.Equal((await EvaluateAsync()).GetProperty("bits_per_dim").GetDouble(), (await EvaluateAsync("--model", imported)).GetProperty("bits_per_dim").GetDouble(), 1e-4);

        using var training = new ConsoleProcess(
            "train", "--json", "--load-params", imported, "--save-dir", run.File($"on-{ending}"), "--data-set", "digits", "--max-steps", "1", "--batch-size", "2", "--shards", "1", "--init-batch-size", "2",
            "--nr-resnet", "1", "--nr-filters", "2", "--nr-logistic-mix", "1", "--num-samples", "0");
        Assert.Equal(1, (await training.EventAsync("ended")).GetProperty("step").GetInt64());
    }

    [Fact]
    public async Task Weights_that_cannot_be_moved_are_refused_with_the_reason()
    {
        string text = run.File("text.pth"), none = run.File("none.pth");
        await File.WriteAllTextAsync(text, "no weights", TestContext.Current.CancellationToken);

        Assert.StartsWith($"{text} is no zip archive as PyTorch writes", await TrainedRun.MistakeAsync("import", text, "--save-dir", run.File("new")), StringComparison.Ordinal);
        Assert.StartsWith($"{none} cannot be read", await TrainedRun.MistakeAsync("import", none, "--save-dir", run.File("new")), StringComparison.Ordinal);
        Assert.EndsWith("holds a checkpoint already (step-000000002.safetensors); give a folder without any with --save-dir.\n", await TrainedRun.MistakeAsync("import", text, "--save-dir", run.Run), StringComparison.Ordinal);
        Assert.Contains("ends neither in .safetensors nor in .pth", await TrainedRun.MistakeAsync("export", "--model", run.Run, "-o", run.File("weights.bin")), StringComparison.Ordinal);
        Assert.False(Directory.Exists(run.File("new")), "nothing is made of a refused file");
    }

    private async Task<JsonElement> EvaluateAsync(params string[] flags)
    {
        string[] model = flags.Length == 0 ? ["--model", run.Run] : [.. flags, "--data-set", "digits"];
        var output = await TrainedRun.DoAsync(["evaluate", "--json", .. model]);
        return JsonDocument.Parse(output.TrimEnd().Split('\n')[^1]).RootElement;
    }
}
