using System.Text.Json;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Console.Tests.Cluster;
using PixelCnnCluster.Console.Tests.Display;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests;

/// <summary>The console as a process that talks to a cluster that is not its own.</summary>
[Trait("Needs", "processes")]
public sealed class ClusterProcessTests : IAsyncLifetime
{
    private PretendedCluster _cluster = null!;

    public async ValueTask InitializeAsync() => _cluster = await PretendedCluster.StartAsync();

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    private ConsoleProcess Console(string line) => new([.. line.Split(' '), "--cluster", _cluster.Address]);

    private async Task<string> RunAsync(string line, int expected = 0)
    {
        using ConsoleProcess console = Console(line);
        (int exitCode, string output, string error) = await console.EndAsync();
        Assert.True(
            (exitCode, error) is var (code, text) && code == expected
                && (code == 0) == (text.Length == 0), $"{line} ended with {exitCode}: {output}{error}");
        return output + error;
    }

    [Fact]
    public async Task A_run_is_submitted_listed_stopped_resumed_and_looked_back_on()
    {
        Assert.Equal("{\"run\":\"mine\"}\n", await RunAsync("train --detach --json -o runs/mine -n 24"));
        Assert.Equal((24, "runs/mine"), (_cluster.Runs["mine"].Spec.Model.Filters, _cluster.Runs["mine"].Spec.Output.SaveDir));

        Assert.Matches("mine +training +120 of 1,000", await RunAsync("runs"));
        Assert.Contains("generation 1: 2 of 3 workers", await RunAsync("runs show mine"), StringComparison.Ordinal);
        Assert.Matches("worker-0 +cpu +idle", await RunAsync("cluster"));

        string stopped = await RunAsync("stop mine");
        Assert.StartsWith("\nStopped after step 1,000.", stopped, StringComparison.Ordinal);
        Assert.Contains($"resume mine --cluster {_cluster.Address}", stopped, StringComparison.Ordinal);

        string resumed = await RunAsync("resume mine");
        Assert.StartsWith("a-run: ", resumed, StringComparison.Ordinal);
        Assert.Contains("\nFinished after step 1,000.\n", resumed, StringComparison.Ordinal);

        Assert.Contains("\nstopped after step 1,000\n", await RunAsync("watch mine"), StringComparison.Ordinal);
        string history = await RunAsync("watch mine --json");
        Assert.Equal(
            ["started", "generation", "step", "ended", "started", "ended"],
            history.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(
                line => JsonDocument.Parse(line).RootElement.GetProperty("event").GetString()!));
    }

    [Fact]
    public async Task A_polite_signal_leaves_the_run_to_the_cluster()
    {
        using ConsoleProcess console = Console("train -o runs/mine");
        await console.LineAsync("step 1/");

        console.Terminate();

        (int exitCode, string output, string error) = await console.EndAsync();
        Assert.Equal((0, ""), (exitCode, error));
        Assert.StartsWith("mine is left to the cluster.\n", output, StringComparison.Ordinal);
        Assert.Contains($"watch mine --cluster {_cluster.Address}\n", output, StringComparison.Ordinal);
        Assert.Contains($"stop mine --cluster {_cluster.Address}\n", output, StringComparison.Ordinal);
        Assert.IsType<StepCommitted>(_cluster.Runs["mine"].Events[^1]);
    }

    [Fact]
    public async Task A_console_outlives_the_silo_that_it_talks_to()
    {
        using ConsoleProcess console = Console("train --json -o runs/mine");
        await console.EventAsync("step");

        await _cluster.StopSiloAsync();
        await _cluster.StartSiloAsync();
        _cluster.Runs["mine"].Events.Add(new FaultNoticed(1, "worker-1", "it is gone"));
        await console.EventAsync("fault");
        _cluster.Runs["mine"].Events.Add(Events.Ended());

        await console.EventAsync("ended");
        Assert.Equal(0, (await console.EndAsync()).ExitCode);
    }

    [Fact]
    public async Task A_cluster_that_is_gone_can_be_left()
    {
        using ConsoleProcess console = Console("train -o runs/mine");
        await console.LineAsync("step 1/");

        await _cluster.StopSiloAsync();
        console.Terminate();

        Assert.Equal(0, (await console.EndAsync()).ExitCode);
    }

    [Theory]
    [InlineData("watch nobody", "There is no run nobody; the command runs lists them.\n")]
    [InlineData("stop nobody", "There is no run nobody; the command runs lists them.\n")]
    [InlineData("resume nobody", "There is no run nobody; the command runs lists them.\n")]
    [InlineData("runs show nobody", "There is no run nobody; the command runs lists them.\n")]
    public async Task The_clusters_sentence_is_the_consoles(string line, string sentence) =>
        Assert.Equal(sentence, await RunAsync(line, expected: 2));

    [Fact]
    public async Task Nobody_there_is_a_sentence_and_an_event_for_programs()
    {
        using var console = new ConsoleProcess("runs", "--json", "--cluster", $"127.0.0.1:{FreePorts.Find(1)[0]}");

        (int exitCode, string output, string error) = await console.EndAsync();

        Assert.Equal(2, exitCode);
        Assert.StartsWith("{\"event\":\"error\",\"message\":\"No Redis answers at ", output, StringComparison.Ordinal);
        Assert.StartsWith("No Redis answers at ", error, StringComparison.Ordinal);
    }
}
