using System.Diagnostics;
using System.Text.Json;
using PixelCnnCluster.Files;

namespace PixelCnnCluster.Console.Tests;

/// <summary>Whole runs: the console, its store and its silos, each a process.</summary>
[Trait("Needs", "processes")]
public sealed class TrainProcessTests : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(1);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>A model so small that workers train, score and save it within seconds.</summary>
    private ConsoleProcess Train(params string[] flags) => new(
    [
        "train", "--save-dir", _folder.File("run"), "--nr-filters", "2", "--nr-logistic-mix", "1", "--batch-size", "2", "--shards", "2",
        "--init-batch-size", "2", "--num-samples", "0", "--workers", "2", .. SmallImages.Flags(_folder.File("data")), .. flags,
    ]);

    [Fact]
    public async Task A_run_ends_with_a_checkpoint_and_is_continued_from_it()
    {
        using (ConsoleProcess console = Train("--json", "--max-steps", "2"))
        {
            JsonElement ended = await console.EventAsync("ended");
            Assert.Equal("completed", ended.GetProperty("outcome").GetString());
            Assert.Equal(2, ended.GetProperty("step").GetInt64());
            Assert.True(File.Exists(ended.GetProperty("checkpoint").GetString()), "the checkpoint is where the event says");
            Assert.Equal((0, "", ""), await console.EndAsync());
        }

        using (ConsoleProcess console = Train("--json", "--max-steps", "3", "--load-params", "--workers", "1"))
        {
            Assert.Equal(2, (await console.EventAsync("started")).GetProperty("first_step").GetInt64());
            Assert.Equal(3, (await console.EventAsync("ended")).GetProperty("step").GetInt64());
        }
    }

    [Fact]
    public async Task A_checkpoint_is_written_on_request_and_a_closed_terminal_or_polite_kills_save_and_end_well()
    {
        using ConsoleProcess console = Train("--json");
        await console.EventAsync("step");

        console.Signal("USR1");
        JsonElement saved = await console.EventAsync("checkpoint");
        Assert.True(File.Exists(saved.GetProperty("path").GetString()), "the checkpoint is where the event says");

        // A kill may come twice, as `timeout` sends it to a process and to its group.
        console.Signal("HUP");
        console.Terminate();
        console.Terminate();

        JsonElement ended = await console.EventAsync("ended");
        Assert.Equal("stopped", ended.GetProperty("outcome").GetString());
        Assert.True(File.Exists(ended.GetProperty("checkpoint").GetString()), "the checkpoint is where the event says");
        Assert.Equal(0, (await console.EndAsync()).ExitCode);
    }

    /// <summary>As in `train --json | head -1`.</summary>
    [Fact]
    public async Task A_reader_that_has_seen_enough_ends_the_run_with_a_checkpoint()
    {
        using ConsoleProcess console = Train("--json");
        await console.EventAsync("step");

        Assert.Equal(0, await console.EndUnreadAsync());

        Assert.NotNull(CheckpointHeader.Newest(_folder.File("run")));
    }

    [Fact]
    public async Task A_killed_console_leaves_no_silo()
    {
        using ConsoleProcess console = Train("--json");
        await console.EventAsync("step");
        IReadOnlyList<Process> silos = console.Children();
        Assert.Equal(2, silos.Count);

        console.Kill();

        await AssertEndAsync(silos);
    }

    [Fact]
    public async Task A_second_signal_ends_at_once()
    {
        using ConsoleProcess console = Train();
        await console.LineAsync("step 1/");
        IReadOnlyList<Process> silos = console.Children();

        // The workers stand still, so that the step cannot finish.
        foreach (Process silo in silos)
            Process.Start("kill", ["-STOP", $"{silo.Id}"]).WaitForExit();
        console.Signal("INT");
        await console.LineAsync("Finishing the step");
        console.Signal("INT");

        // A silo that is asked to end has a minute.
        Assert.Equal(130, (await console.EndAsync().WaitAsync(TimeSpan.FromSeconds(45), TestContext.Current.CancellationToken)).ExitCode);
        await AssertEndAsync(silos);
    }

    [Fact]
    public async Task A_killed_worker_changes_nothing_about_the_result()
    {
        string[] flags = ["--json", "--max-steps", "40"];
        string? undisturbed;
        using (ConsoleProcess console = Train([.. flags, "--save-dir", _folder.File("undisturbed"), "--workers", "1"]))
            undisturbed = (await console.EventAsync("ended")).GetProperty("state_hash").GetString();

        using (ConsoleProcess console = Train(flags))
        {
            await console.EventAsync("step");
            console.Children().Single(silo => File.ReadAllText($"/proc/{silo.Id}/cmdline").Contains("worker-1", StringComparison.Ordinal))
                .Kill();

            // Either silo may have held the coordinator. A starved machine may cause more generations, before and afterwards.
            await console.LineAsync(
                "{\"event\":\"generation\"", line => line.Contains("worker-1 was lost", StringComparison.Ordinal)
                    || line.Contains("another coordinator took over", StringComparison.Ordinal));
            JsonElement ended = await console.EventAsync("ended");

            Assert.Equal(
                ("completed", 40L, undisturbed),
                (ended.GetProperty("outcome").GetString(), ended.GetProperty("step").GetInt64(),
                    ended.GetProperty("state_hash").GetString()));
            Assert.Equal(0, (await console.EndAsync()).ExitCode);
        }
    }

    [Fact]
    public async Task Two_runs_do_not_write_to_one_folder()
    {
        using ConsoleProcess first = Train("--json", "--workers", "1");
        await first.EventAsync("step");

        using ConsoleProcess second = Train("--json");
        (int exitCode, string _, string error) = await second.EndAsync();

        Assert.Equal(2, exitCode);
        Mistake.AssertNames($"--save-dir {_folder.File("run")}", error);
    }

    [Fact]
    public async Task What_only_the_silo_can_see_is_still_the_users_mistake()
    {
        using ConsoleProcess console = Train("--json", "--workers", "1", "--data-set", "folder", "--data-dir", _folder.File("nowhere"));

        (int exitCode, string output, string error) = await console.EndAsync();

        Assert.Equal(2, exitCode);
        Assert.Contains("\"event\":\"error\"", output, StringComparison.Ordinal);
        Assert.Contains("--data-dir", error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
    }

    private static async Task AssertEndAsync(IReadOnlyList<Process> silos)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        foreach (Process silo in silos)
        {
            try
            {
                await silo.WaitForExitAsync(deadline.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"silo process {silo.Id} was still there after {Deadline}");
            }
        }
    }
}
