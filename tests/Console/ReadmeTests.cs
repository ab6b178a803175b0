using System.Text.RegularExpressions;

namespace PixelCnnCluster.Console.Tests;

/// <summary>The README's examples work as they are written, one after another, behind a training that is as short as can be.</summary>
[Trait("Needs", "processes")]
public sealed partial class ReadmeTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_examples_work_one_after_another()
    {
        string readme = Repository.Read("README.md");
        string[] examples =
        [
            "train --max-steps 1 --nr-filters 2 --nr-logistic-mix 1 --batch-size 16 --shards 1 --init-batch-size 2 --num-samples 0 " +
            "--save-dir runs/digits",
            .. Command().Matches(readme[readme.IndexOf("## Three examples", StringComparison.Ordinal)..])
                .Select(match => match.Groups["arguments"].Value),
        ];
        Assert.Equal(4, examples.Length);

        foreach (string example in examples)
        {
            using ConsoleProcess console = new(_folder.Path, example.Split(' '));
            (int exitCode, _, string error) = await console.EndAsync();
            Assert.Equal((example, 0, ""), (example, exitCode, exitCode == 0 ? "" : error));
        }

        Assert.Equal(4, Directory.GetFiles(_folder.File("digits"), "*.png").Length);
        Assert.True(
            File.Exists(_folder.File("completed.png")) && File.Exists(_folder.File("bits.png")), "the pictures are where the examples say");
    }

    [GeneratedRegex(@"^    dotnet run -c Release --project client -- (?<arguments>.+)$", RegexOptions.Multiline)]
    private static partial Regex Command();
}
