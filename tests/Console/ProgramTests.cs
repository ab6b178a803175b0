namespace PixelCnnCluster.Console.Tests;

/// <summary>The console as a process, up to where a cluster would start.</summary>
[Collection(nameof(ConsoleProcess))]
public sealed class ProgramTests
{
    [Fact]
    public async Task Mistakes_end_with_code_2_and_sentences_only()
    {
        var (exitCode, output, error) = await RunAsync("train", "--foo", "-q", "x");

        Assert.Equal(2, exitCode);
        Assert.Empty(output);
        Assert.Equal("--foo is not a flag of train; train --help lists them.\n--nr-resnet is \"x\"; give a whole number.\n", error);
    }

    [Fact]
    public async Task Mistakes_are_events_for_programs()
    {
        var (exitCode, output, error) = await RunAsync("train", "--json", "-q", "0");

        Assert.Equal(2, exitCode);
        Assert.Equal("{\"event\":\"error\",\"message\":\"--nr-resnet is 0; give 1 or more.\"}\n", output);
        Assert.Equal("--nr-resnet is 0; give 1 or more.\n", error);
    }

    [Fact]
    public async Task What_surpasses_a_command_is_a_mistake()
    {
        var (exitCode, _, error) = await RunAsync("runs", "surplus", "--cluster", "a:1");

        Assert.Equal((2, "surplus is not a flag of runs; runs --help lists them.\n"), (exitCode, error));
    }

    [Fact]
    public async Task An_unknown_command_is_a_mistake()
    {
        var (exitCode, _, error) = await RunAsync("tran");

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
    [InlineData("--version", "1.")]
    public async Task Help_and_version_are_no_mistakes(string args, string part)
    {
        var (exitCode, output, error) = await RunAsync(args.Split(' ', StringSplitOptions.RemoveEmptyEntries));

        Assert.Equal((0, ""), (exitCode, error));
        Assert.Contains(part, output, StringComparison.Ordinal);
    }

    private static async Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] args)
    {
        using var console = new ConsoleProcess(args);
        return await console.EndAsync();
    }
}
