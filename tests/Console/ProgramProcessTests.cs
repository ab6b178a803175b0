namespace PixelCnnCluster.Console.Tests;

/// <summary>The console as a process has the exit codes and the streams of the program.</summary>
[Trait("Needs", "processes")]
public sealed class ProgramProcessTests
{
    [Fact]
    public async Task Mistakes_are_sentences_and_for_programs_events()
    {
        (int exitCode, string output, string error) = await RunAsync("train", "--json", "-q", "0");

        Assert.Equal(2, exitCode);
        Assert.Equal("{\"event\":\"error\",\"message\":\"--nr-resnet is 0; give 1 or more.\"}\n", output);
        Assert.Equal("--nr-resnet is 0; give 1 or more.\n", error);
    }

    [Theory]
    [InlineData("train --help", "--nr-filters, --nr_filters <n>")]
    [InlineData("", "Commands:")]
    [InlineData("--version", "1.")]
    public async Task Help_and_version_are_no_mistakes(string args, string part)
    {
        (int exitCode, string output, string error) = await RunAsync(args.Split(' ', StringSplitOptions.RemoveEmptyEntries));

        Assert.Equal((0, ""), (exitCode, error));
        Assert.Contains(part, output, StringComparison.Ordinal);
    }

    private static async Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] args)
    {
        using var console = new ConsoleProcess(args);
        return await console.EndAsync();
    }
}
