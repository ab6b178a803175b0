using PixelCnnCluster.Contracts;
using PixelCnnCluster.Pictures;

namespace PixelCnnCluster.Console.Tests.Models;

/// <summary>Every wrong input to a command for models gets its sentence before a silo starts.</summary>
[Collection(nameof(CapturedConsole))]
public sealed class ModelMistakeTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("sample --mixture-temperature -0.5", "--mixture-temperature is -0.5; give 0 or more.")]
    [InlineData("sample --logistic-temperature -1", "--logistic-temperature is -1; give 0 or more.")]
    [InlineData(
        "sample --class 3", "--class is 3, but MODEL is not conditioned on classes; leave it out, or train with --class-conditional.")]
    [InlineData("sample --count 0", "--count is 0; give 1 or more.")]
    [InlineData("sample --batch 0 --count x", "--count is \"x\"; give a whole number.")]
    [InlineData("sample --output FOLDER/folder.png", "--output FOLDER/folder.png is a folder; give another name.")]
    [InlineData("sample --output FOLDER/text.png/x.png", "--output FOLDER/text.png/x.png cannot be written")]
    [InlineData("sample --output /proc/x.png", "--output /proc/x.png cannot be written")]
    [InlineData(
        "sample --output FOLDER/x.png --count 5000",
        "--output FOLDER/x.png is one picture, which has room for 4096 images, not 5000; give a name that ends in .npz or that of a " +
        "folder.")]
    [InlineData("sample --output FOLDER/x.npz --count 3000000", "--count makes 3000000 images, more than can be held;")]
    [InlineData("complete FOLDER/grey.png --count 0", "--count is 0; give 1 or more.")]
    [InlineData("sample more", "more is not a flag of sample; sample --help lists them.")]
    [InlineData("complete", "complete needs images; name PNG or JPEG files.")]
    [InlineData("complete FOLDER/text.png", "FOLDER/text.png is no PNG or JPEG image;")]
    [InlineData("complete FOLDER/large.png", "FOLDER/large.png is 32x32 pixels and the model's images are 28x28; give one of that size.")]
    [InlineData("complete FOLDER/colour.png", "FOLDER/colour.png is a colour image and the model's images are grey; give a grey one.")]
    [InlineData("complete FOLDER/grey.png --keep 28", "--keep is 28; give a number of rows from 1 to 27, top, left or a mask's file.")]
    [InlineData("complete FOLDER/grey.png --keep -1", "--keep is -1; give a number of rows from 1 to 27, top, left or a mask's file.")]
    [InlineData("complete FOLDER/grey.png --keep bottom", "--keep is bottom; give top, left, a number of rows or the path of a mask.")]
    [InlineData("complete FOLDER/grey.png --keep FOLDER/grey.png", "FOLDER/grey.png keeps nothing,")]
    [InlineData("score", "score needs either images or a data set; name PNG or JPEG files, or give --data-set.")]
    [InlineData(
        "score FOLDER/grey.png --data-set digits", "score needs either images or a data set; name PNG or JPEG files, or give --data-set.")]
    [InlineData("score FOLDER/none.png", "There is no file 'FOLDER/none.png'; give the path of a PNG or JPEG image.")]
    [InlineData("score FOLDER/folder.png", "FOLDER/folder.png is a folder where an image should be;")]
    [InlineData("score FOLDER/grey.png --train", "--train needs --data-set; add that or leave it out.")]
    [InlineData("score FOLDER/grey.png --map x.jpg", "--map is x.jpg; give a name that ends in .png.")]
    [InlineData("score --data-set digits --map x.png", "--map has room for 256 images; give --count 256 or less.")]
    [InlineData("score --data-set digits --csv --json --foo", "--foo is not a flag of score; score --help lists them.")]
    [InlineData("score --data-set digits --class 1", "--class is 1, but")]
    [InlineData("evaluate --data-set cats", "--data-set is \"cats\"; give one of cifar,")]
    [InlineData("evaluate --count 0", "--count is 0; give 1 or more.")]
    [InlineData("import", "import takes one file of weights and was given 0; name a .safetensors or .pth file.")]
    public async Task A_wrong_input_gets_its_sentence(string command, string sentence)
    {
        string checkpoint = Checkpoints.Write(_folder, 2, Presets.Quick);
        Directory.CreateDirectory(_folder.File("folder.png"));
        await File.WriteAllTextAsync(_folder.File("text.png"), "no image", TestContext.Current.CancellationToken);
        PictureFile.Write(_folder.File("grey.png"), new byte[28 * 28], 1, 28);
        PictureFile.Write(_folder.File("large.png"), new byte[32 * 32], 1, 32);
        PictureFile.Write(_folder.File("colour.png"), [.. Enumerable.Range(0, 3 * 28 * 28).Select(i => (byte)i)], 3, 28);
        string[] model = command.StartsWith("import", StringComparison.Ordinal) ? [] : ["--model", _folder.Path];

        string told = await MistakeAsync([.. command.Split(' ').Select(InFolder), .. model]);

        Assert.Contains(InFolder(sentence).Replace("MODEL", checkpoint, StringComparison.Ordinal), told, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_no_model_is_refused_by_name()
    {
        string text = _folder.File("text.safetensors"), empty = _folder.File("empty"), none = _folder.File("none");
        await File.WriteAllTextAsync(text, "no checkpoint", TestContext.Current.CancellationToken);
        Directory.CreateDirectory(empty);

        Assert.StartsWith(
            $"{text} is not a whole checkpoint of this program", await MistakeAsync("sample", "--model", text), StringComparison.Ordinal);
        Assert.Equal(
            $"There is no checkpoint (step-*.safetensors) in {empty}; name another file or folder with --model.\n",
            await MistakeAsync("score", "--data-set", "digits", "--model", empty));
        Assert.Equal(
            $"There is no {none}; name a checkpoint's file or a folder that holds some with --model.\n",
            await MistakeAsync("evaluate", "--model", none));
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
