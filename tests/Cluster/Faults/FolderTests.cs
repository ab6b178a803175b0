using System.Diagnostics;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;
using PixelCnnCluster.Files;

namespace PixelCnnCluster.Cluster.Tests.Faults;

/// <summary>A cluster whose operator takes a folder away.</summary>
public sealed class FolderTests() : ClusterTests(new(), isOwn: true)
{
    /// <summary>A pipe that nobody reads is a file that takes whatever is opened to write to it and never answers.</summary>
    [Fact]
    public async Task A_silo_ends_in_order_though_the_history_of_its_run_hangs()
    {
        await Cluster.HealAsync("worker-0");
        FollowedRun run = await Cluster.SubmitAsync("run", UndisturbedRun.Endless with
        {
            Output = UndisturbedRun.Endless.Output with { SaveInterval = 1000 },
        });
        await run.NextAsync<StepCommitted>(_ => true, "a step");
        string history = Path.Combine(run.Spec.Output.SaveDir, "history.msgpack");
        File.Delete(history);
        using (var made = Process.Start("mkfifo", [history]))
            await made.WaitForExitAsync(TestContext.Current.CancellationToken);
        await run.StepAsync(run.NewestStep + 20);

        Cluster.Fleet.Signal("worker-0", "TERM");

        await Cluster.Fleet.Silo("worker-0").Exited.WithinAsync(TimeSpan.FromSeconds(40), "the end of worker-0");
        Assert.NotNull(CheckpointHeader.Newest(run.Spec.Output.SaveDir));
    }

    [Fact]
    public async Task A_run_in_a_folder_that_is_allowed_no_longer_fails_with_a_sentence_and_goes_on_when_it_is_again()
    {
        Cluster.Environment["Silo__Folders"] = Cluster.Folder;
        await Cluster.HealAsync("worker-0");
        FollowedRun run = await Cluster.SubmitAsync("run", UndisturbedRun.Endless with
        {
            Output = UndisturbedRun.Endless.Output with { SaveInterval = 1 },
        });
        await run.NextAsync<CheckpointSaved>(_ => true, "a checkpoint");
        string sentence = $"--save-dir {run.Spec.Output.SaveDir} is outside of the folders that the silos may use";

        await RestartAsync(Directory.CreateDirectory(Path.Combine(Cluster.Folder, "elsewhere")).FullName);
        RunOverview failed = await UntilAsync(overview => overview.State == RunState.Failed, "the run's failure");
        Assert.StartsWith(sentence, failed.Error, StringComparison.Ordinal);
        UserErrorException mistake = await Assert.ThrowsAsync<UserErrorException>(() => Cluster.Fleet.Grains.Cluster.ResumeAsync("run"));
        Assert.StartsWith(sentence, mistake.Message, StringComparison.Ordinal);
        Assert.Equal(RunState.Failed, (await Cluster.Fleet.Grains.Cluster.RunsAsync()).Single().State);

        await RestartAsync(Cluster.Folder);
        await UntilAsync(overview => overview.State == RunState.Failed, "the run as it was left");
        long position = await Cluster.Fleet.Grains.Cluster.ResumeAsync("run");
        await new FollowedRun("run", run.Spec, Cluster.Fleet.Grains.Run("run"), position).NextAsync<StepCommitted>(_ => true, "a step");

        async Task RestartAsync(string folders)
        {
            Cluster.Fleet.Signal("worker-0", "TERM");
            await Cluster.Fleet.Silo("worker-0").Exited.WithinAsync(Deadline.Generous, "the end of worker-0");
            Cluster.Fleet.Environment["Silo__Folders"] = folders;
            await Cluster.Fleet.StartAsync("worker-0");
        }

        Task<RunOverview> UntilAsync(Func<RunOverview, bool> holds, string awaited) => Deadline.UntilAsync(
            async () => (await Deadline.AnswerAsync(Cluster.Fleet.Grains.Cluster.RunsAsync, "the list of runs")).SingleOrDefault(holds),
            awaited);
    }
}
