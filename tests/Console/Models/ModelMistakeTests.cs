using PixelCnnCluster.Contracts;
using PixelCnnCluster.Pictures;

namespace PixelCnnCluster.Console.Tests.Models;

/// <summary>Every wrong input to a command for models is named before a silo starts.</summary>
[Collection(nameof(CapturedConsole))]
public sealed class ModelMistakeTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("sample --mixture-temperature -0.5", "--mixture-temperature")]
    [InlineData("sample --logistic-temperature -1", "--logistic-temperature")]
    [InlineData("sample --class 3", "--class")]
    [InlineData("sample --count 0", "--count")]
    [InlineData("sample --batch 0 --count x", "--count")]
    [InlineData("sample --output FOLDER/folder.png", "--output")]
    [InlineData("sample --output FOLDER/text.png/x.png", "--output")]
    [InlineData("sample --output /proc/x.png", "--output")]
    [InlineData("sample --output FOLDER/x.png --count 5000", "--output")]
    [InlineData("sample --output FOLDER/x.npz --count 3000000", "--count")]
    [InlineData("complete FOLDER/grey.png --count 0", "--count")]
    [InlineData("sample more", "more")]
    [InlineData("complete", "images")]
    [InlineData("complete FOLDER/text.png", "FOLDER/text.png")]
    [InlineData("complete FOLDER/large.png", "FOLDER/large.png")]
    [InlineData("complete FOLDER/colour.png", "FOLDER/colour.png")]
    [InlineData("complete FOLDER/grey.png --keep 28", "--keep")]
    [InlineData("complete FOLDER/grey.png --keep -1", "--keep")]
    [InlineData("complete FOLDER/grey.png --keep bottom", "--keep")]
    [InlineData("complete FOLDER/grey.png --keep FOLDER/grey.png", "FOLDER/grey.png")]
    [InlineData("score", "--data-set")]
    [InlineData("score FOLDER/grey.png --data-set digits", "--data-set")]
    [InlineData("score FOLDER/none.png", "FOLDER/none.png")]
    [InlineData("score FOLDER/folder.png", "FOLDER/folder.png")]
    [InlineData("score FOLDER/grey.png --train", "--train")]
    [InlineData("score FOLDER/grey.png --map x.jpg", "--map")]
    [InlineData("score --data-set digits --map x.png", "--map")]
    [InlineData("score --data-set digits --csv --json --foo", "--foo")]
    [InlineData("score --data-set digits --class 1", "--class")]
    [InlineData("evaluate --data-set cats", "--data-set")]
    [InlineData("evaluate --count 0", "--count")]
    [InlineData("import", ".pth")]
    public async Task A_wrong_input_is_named(string command, string named)
    {
        Checkpoints.Write(_folder, 2, Presets.Quick);
        Directory.CreateDirectory(_folder.File("folder.png"));
        await File.WriteAllTextAsync(_folder.File("text.png"), "no image", TestContext.Current.CancellationToken);
        PictureFile.Write(_folder.File("grey.png"), new byte[28 * 28], 1, 28);
        PictureFile.Write(_folder.File("large.png"), new byte[32 * 32], 1, 32);
        PictureFile.Write(_folder.File("colour.png"), [.. Enumerable.Range(0, 3 * 28 * 28).Select(i => (byte)i)], 3, 28);
        string[] model = command.StartsWith("import", StringComparison.Ordinal) ? [] : ["--model", _folder.Path];

        string told = await MistakeAsync([.. command.Split(' ').Select(InFolder), .. model]);

        Assert.Contains(InFolder(named), told, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_no_model_is_refused_by_name()
    {
        string text = _folder.File("text.safetensors"), empty = _folder.File("empty"), none = _folder.File("none");
        await File.WriteAllTextAsync(text, "no checkpoint", TestContext.Current.CancellationToken);
        Directory.CreateDirectory(empty);

        Mistake.AssertNames(text, await MistakeAsync("sample", "--model", text));
        Mistake.AssertNames(empty, await MistakeAsync("score", "--data-set", "digits", "--model", empty));
        Mistake.AssertNames(none, await MistakeAsync("evaluate", "--model", none));
    }

    private static async Task<string> MistakeAsync(params string[] args)
    {
        (int exitCode, string output, string error) = await CapturedConsole.RunAsync(args);
        Assert.Equal(2, exitCode);
        if (args.Contains("--json"))
            Assert.StartsWith("{\"event\":\"error\"", output, StringComparison.Ordinal);
        else
            Assert.Empty(output);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
        return error;
    }

    private string InFolder(string text) =>
        text.Replace("FOLDER", _folder.File(""), StringComparison.Ordinal).Replace("//", "/", StringComparison.Ordinal);
}
