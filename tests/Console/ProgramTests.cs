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
        Assert.Equal("--foo is not a flag of train; train --help lists them.\n--nr-resnet is \"x\"; give a whole number.\n", error);
    }

    [Fact]
    public async Task Mistakes_are_events_for_programs()
    {
        (int exitCode, string output, string error) = await CapturedConsole.RunAsync("train", "--json", "-q", "0");

        Assert.Equal(2, exitCode);
        Assert.Equal("{\"event\":\"error\",\"message\":\"--nr-resnet is 0; give 1 or more.\"}\n", output);
        Assert.Equal("--nr-resnet is 0; give 1 or more.\n", error);
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

        Assert.Equal((2, "surplus is not a flag of runs; runs --help lists them.\n"), (exitCode, error));
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
