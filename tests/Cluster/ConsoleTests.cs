using System.Diagnostics;
using System.Text.Json;

namespace PixelCnnCluster.Tests;

/// <summary>The console with real silos, stopped and killed as people and machines do it.</summary>
public sealed class ConsoleTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("pixelcnn-console-").FullName;
    private readonly string[] small;

    public ConsoleTests() => small =
    [
        "train", "--json", "--preset", "quick", "--data-set", "mnist", "--data-dir", FewDigits.Write(folder), "--nr-filters", "8", "--nr-logistic-mix", "3",
        "--max-epochs", "1000", "--save-interval", "1000", "--num-samples", "0", "--workers", "2", "--threads", "1", "--save-dir",
    ];

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task InterruptFinishesTheStepSavesAndContinuesToTheSameBits()
    {
        await using var stopped = new ConsoleProcess([.. small, folder]);
        await stopped.UntilAsync("step");
        stopped.Send(ConsoleProcess.Interrupt);
        JsonElement ended = await stopped.UntilAsync("ended");
        Assert.Equal("stopped", ended.GetProperty("outcome").GetString());
        Assert.Equal(0, await stopped.ExitCodeAsync());
        string checkpoint = ended.GetProperty("checkpoint").GetString()!;
        Assert.True(File.Exists(checkpoint));

        long steps = ended.GetProperty("step").GetInt64() + 2;
        await using var resumed = new ConsoleProcess(["train", "--json", "--load-params", checkpoint, "--max-steps", $"{steps}", "--workers", "1", "--threads", "1", "--save-dir", folder]);
        await using var whole = new ConsoleProcess([.. small, Path.Combine(folder, "whole"), "--max-steps", $"{steps}"]);
        Assert.Equal(
            (await whole.UntilAsync("ended")).GetProperty("state_hash").GetString(),
            (await resumed.UntilAsync("ended")).GetProperty("state_hash").GetString());
    }

    [Fact]
    public async Task SecondInterruptStopsAtOnceAndLeavesNoSilo()
    {
        await using var console = new ConsoleProcess([.. small, folder, "--shards", "4000"]);
        await console.UntilAsync("started");
        int[] silos = ConsoleProcess.ChildrenOf(console.Id);
        console.Send(ConsoleProcess.Interrupt);
        console.Send(ConsoleProcess.Interrupt);
        Assert.Equal(130, await console.ExitCodeAsync());
        await GoneAsync(silos);
    }

    [Fact]
    public async Task KilledConsoleLeavesNoSilo()
    {
        await using var console = new ConsoleProcess([.. small, folder]);
        await console.UntilAsync("step");
        int[] silos = ConsoleProcess.ChildrenOf(console.Id);
        Assert.Equal(2, silos.Length);
        console.Send(ConsoleProcess.Kill);
        await GoneAsync(silos);
    }

    [Fact]
    public async Task KilledWorkerIsReportedByName()
    {
        await using var console = new ConsoleProcess([.. small, folder]);
        await console.UntilAsync("step");
        int victim = ConsoleProcess.ChildrenOf(console.Id).Single(id => File.ReadAllText($"/proc/{id}/cmdline").Contains("worker-1", StringComparison.Ordinal));
        Assert.Equal(0, ConsoleProcess.SendSignal(victim, ConsoleProcess.Kill));
        Assert.Equal(1, await console.ExitCodeAsync());
        Assert.Contains("worker-1", await console.ErrorsAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task MissingDataIsTheUsersMistake()
    {
        await using var console = new ConsoleProcess("train", "--json", "--data-set", "folder", "--data-dir", Path.Combine(folder, "none"), "--save-dir", folder);
        JsonElement ended = await console.UntilAsync("ended");
        Assert.True(ended.GetProperty("user_error").GetBoolean());
        Assert.Equal(2, await console.ExitCodeAsync());
    }

    [Fact]
    public async Task DamagedCheckpointIsTheUsersMistake()
    {
        await using (var first = new ConsoleProcess([.. small, folder, "--max-steps", "1"]))
            Assert.Equal(0, await first.ExitCodeAsync());
        string checkpoint = Assert.Single(Directory.GetFiles(folder, "*.safetensors"));
        byte[] bytes = File.ReadAllBytes(checkpoint);
        bytes[^100] ^= 4;
        File.WriteAllBytes(checkpoint, bytes);
        await using var console = new ConsoleProcess("train", "--json", "--load-params", checkpoint, "--save-dir", Path.Combine(folder, "next"));
        Assert.Equal(2, await console.ExitCodeAsync());
        Assert.Contains(checkpoint, await console.ErrorsAsync(), StringComparison.Ordinal);
    }

    private static async Task GoneAsync(int[] processes)
    {
        foreach (int id in processes)
        {
            Process? process;
            try
            {
                process = Process.GetProcessById(id);
            }
            catch (ArgumentException)
            {
                continue;
            }

            using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            try
            {
                await process.WaitForExitAsync(deadline.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"Silo process {id} was still there 30 seconds after its console had gone.");
            }
        }
    }
}
