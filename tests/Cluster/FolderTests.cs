using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Tests;

/// <summary>A cluster whose operator takes a folder away.</summary>
public sealed class FolderTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_run_in_a_folder_that_is_allowed_no_longer_fails_with_a_sentence_and_goes_on_when_it_is_again()
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync();
        cluster.Fleet.Environment["Silo__Folders"] = cluster.Folder;
        await cluster.Fleet.StartAsync("worker-0");
        FollowedRun run = await cluster.SubmitAsync("run", UndisturbedRun.Spec with { MaxSteps = 100_000, MaxEpochs = 100_000, SaveInterval = 1 });
        await run.NextAsync<CheckpointSaved>(_ => true, "a checkpoint");
        string sentence = $"--save-dir {run.Spec.SaveDir} is outside of the folders that the silos may use";

        await RestartAsync(Directory.CreateDirectory(Path.Combine(cluster.Folder, "elsewhere")).FullName);
        RunOverview failed = await UntilAsync(overview => overview.State == RunState.Failed, "the run's failure");
        Assert.StartsWith(sentence, failed.Error, StringComparison.Ordinal);
        UserErrorException mistake = await Assert.ThrowsAsync<UserErrorException>(() => cluster.Fleet.Grains.Cluster.ResumeAsync("run"));
        Assert.StartsWith(sentence, mistake.Message, StringComparison.Ordinal);
        Assert.Equal(RunState.Failed, (await cluster.Fleet.Grains.Cluster.RunsAsync()).Single().State);

        await RestartAsync(cluster.Folder);
        await UntilAsync(overview => overview.State == RunState.Failed, "the run as it was left");
        long position = await cluster.Fleet.Grains.Cluster.ResumeAsync("run");
        await new FollowedRun("run", run.Spec, cluster.Fleet.Grains.Run("run"), position).NextAsync<StepCommitted>(_ => true, "a step");

        async Task RestartAsync(string folders)
        {
            cluster.Fleet.Silo("worker-0").Kill();
            cluster.Fleet.Environment["Silo__Folders"] = folders;
            await cluster.Fleet.StartAsync("worker-0");
        }

        Task<RunOverview> UntilAsync(Func<RunOverview, bool> holds, string awaited) => Deadline.UntilAsync(
            async () =>
            {
                try
                {
                    return (await cluster.Fleet.Grains.Cluster.RunsAsync()).SingleOrDefault(holds);
                }
                catch (Exception fault) when (fault is OrleansException or TimeoutException)
                {
                    // The client is yet to find the new silo.
                    return null;
                }
            },
            Patience, awaited);
    }
}
