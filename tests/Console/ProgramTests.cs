using System.Text.Json.Nodes;

namespace PixelCnnCluster.Console.Tests;

/// <summary>The program up to where a cluster would start.</summary>
[Collection(nameof(CapturedConsole))]
public sealed class ProgramTests
{
    [Fact]
    public async Task Mistakes_end_with_code_2_and_sentences_only()
    {
        (int exitCode, string output, string error) = await CapturedConsole.RunAsync("train", "--foo", "-q", "x");

        Assert.Equal(2, exitCode);
        Assert.Empty(output);
        string[] told = error.TrimEnd().Split('\n');
        Assert.Equal(2, told.Length);
        Mistake.AssertNames("--foo", told[0]);
        Mistake.AssertNames("--nr-resnet", told[1]);
    }

    [Fact]
    public async Task Mistakes_are_events_for_programs()
    {
        (int exitCode, string output, string error) = await CapturedConsole.RunAsync("train", "--json", "-q", "0");

        Assert.Equal(2, exitCode);
        Mistake.AssertNames("--nr-resnet", error);
        Assert.Equal($"{{\"event\":\"error\",\"message\":\"{error.TrimEnd()}\"}}\n", output);
    }

    [Fact]
    public async Task All_settings_are_shown_and_nothing_is_trained()
    {
        (int exitCode, string output, string error) = await CapturedConsole.RunAsync("train", "--print-config", "-d", "mnist", "-q", "2");

        Assert.Equal((0, ""), (exitCode, error));
        JsonNode config = JsonNode.Parse(output)!;
        Assert.Equal(("mnist", 2), ((string)config["data"]!["data_set"]!, (int)config["model"]!["blocks"]!));
    }

    [Fact]
    public async Task What_surpasses_a_command_is_a_mistake()
    {
        (int exitCode, string _, string error) = await CapturedConsole.RunAsync("runs", "surplus", "--cluster", "a:1");

        Assert.Equal(2, exitCode);
        Mistake.AssertNames("surplus", error);
    }

    [Fact]
    public async Task An_unknown_command_is_a_mistake()
    {
        (int exitCode, string _, string error) = await CapturedConsole.RunAsync("tran");

        Assert.Equal(2, exitCode);
        Assert.Contains("'tran'", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("train --help", "Examples:")]
    [InlineData("train --help", "--nr-filters, --nr_filters <n>")]
    [InlineData("train --help", "--max-skipped")]
    [InlineData("runs --help", "runs show mine")]
    [InlineData("runs show --help", "Examples:")]
    [InlineData("watch --help", "Examples:")]
    [InlineData("stop --help", "Examples:")]
    [InlineData("resume --help", "Examples:")]
    [InlineData("cluster --help", "Examples:")]
    [InlineData("--help", "Commands:")]
    [InlineData("", "Commands:")]
    public async Task Help_is_no_mistake(string args, string part)
    {
        (int exitCode, string output, string error) = await CapturedConsole.RunAsync(
            args.Split(' ', StringSplitOptions.RemoveEmptyEntries));

        Assert.Equal((0, ""), (exitCode, error));
        Assert.Contains(part, output, StringComparison.Ordinal);
    }
}
