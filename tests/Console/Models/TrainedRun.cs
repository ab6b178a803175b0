using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests.Models;

/// <summary>A folder with the run of a very small model of grey 28x28 digits, trained for two steps, and files of all kinds beside it.</summary>
public sealed class TrainedRun : IAsyncLifetime
{
    private readonly TempFolder _folder = new();

    /// <summary>Folder of the run.</summary>
    internal string Run => File("run");

    internal ModelCard Model => ModelCard.Find(Run);

    public async ValueTask InitializeAsync()
    {
        using var console = new ConsoleProcess(
            "train", "--json", "--max-steps", "2", "--save-dir", Run, "--nr-filters", "2", "--nr-logistic-mix", "1", "--batch-size", "2", "--shards", "1",
            "--init-batch-size", "2", "--num-samples", "0");
        Assert.Equal("completed", (await console.EventAsync("ended")).GetProperty("outcome").GetString());
        Assert.Equal(0, (await console.EndAsync()).ExitCode);
    }

    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return default;
    }

    internal string File(string name) => _folder.File(name);

    /// <summary>Runs a command to its good end.</summary>
    /// <returns>What it wrote to standard output.</returns>
    internal static async Task<string> DoAsync(params string[] args)
    {
        using var console = new ConsoleProcess(args);
        var (exitCode, output, error) = await console.EndAsync();
        Assert.True(exitCode == 0, error);
        return output;
    }

    /// <summary>Runs a command that finds mistakes.</summary>
    /// <returns>Its sentences.</returns>
    internal static async Task<string> MistakeAsync(params string[] args)
    {
        using var console = new ConsoleProcess(args);
        var (exitCode, output, error) = await console.EndAsync();
        Assert.Equal((2, ""), (exitCode, output));
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
        return error;
    }
}
