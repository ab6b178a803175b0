using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;

namespace PixelCnnCluster.Console.Tests.Models;

/// <summary>
/// A cluster of one silo, and a folder with the run of a very small model of grey 8x8 images that was trained there for two steps, with
/// files of all kinds beside it. Consoles use the cluster, unless they are to start one of their own.
/// </summary>
public sealed class TrainedRun : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private LocalCluster? _cluster;

    /// <summary>Folder of the run.</summary>
    internal string Run => File("run");

    internal ModelInfo Model => ModelFiles.Find(Run);

    /// <summary>The smallest run there is.</summary>
    internal static string[] Smallest { get; } = ["--nr-filters", "2", "--nr-logistic-mix", "1", "--batch-size", "2", "--shards", "1",
        "--init-batch-size", "2", "--num-samples", "0", "--workers", "1"];

    private string[] Cluster => ["--cluster", $"{_cluster!.Address}"];

    public async ValueTask InitializeAsync()
    {
        _cluster = await LocalCluster.StartAsync(
            workers: 1, Environment.ProcessorCount, Directory.CreateDirectory(File("logs")).FullName,
            System.Console.Error.WriteLine, TestContext.Current.CancellationToken);
        Assert.Contains(
            "\"outcome\":\"completed\"",
            await DoAsync(["train", "--json", "--max-steps", "2", "--save-dir", Run, .. SmallImages.Flags(File("data")), .. Smallest]),
            StringComparison.Ordinal);
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
            await _cluster.DisposeAsync();
        _folder.Dispose();
    }

    internal string File(string name) => _folder.File(name);

    /// <summary>Runs a command on the cluster to its good end.</summary>
    /// <returns>What it wrote to standard output.</returns>
    internal Task<string> DoAsync(params string[] args) => DoAloneAsync([.. args, .. Cluster]);

    /// <summary>The same with a cluster of the console's own.</summary>
    internal static async Task<string> DoAloneAsync(params string[] args)
    {
        using var console = new ConsoleProcess(args);
        (int exitCode, string output, string error) = await console.EndAsync();
        Assert.True(exitCode == 0, error);
        return output;
    }

    /// <summary>Runs a command on the cluster that finds mistakes.</summary>
    /// <returns>Its sentences.</returns>
    internal Task<string> MistakeAsync(params string[] args) => MistakeAloneAsync([.. args, .. Cluster]);

    /// <summary>The same with a cluster of the console's own.</summary>
    internal static async Task<string> MistakeAloneAsync(params string[] args)
    {
        using var console = new ConsoleProcess(args);
        (int exitCode, string output, string error) = await console.EndAsync();
        Assert.Equal((2, ""), (exitCode, output));
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
        return error;
    }
}

/// <summary>The tests of the run share it, one after the other.</summary>
[CollectionDefinition(nameof(TrainedRun))]
public sealed class TrainedRunCollection : ICollectionFixture<TrainedRun>;
