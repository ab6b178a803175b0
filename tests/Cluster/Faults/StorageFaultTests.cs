using System.Diagnostics;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests.Faults;

/// <summary>The store goes away, disks fill up, files are damaged and gradients run out of the numbers.</summary>
[Collection(nameof(FaultCluster))]
public sealed class StorageFaultTests(TestCluster cluster, UndisturbedRun undisturbed) : ClusterTests(cluster)
{
    private static readonly string[] Three = ["worker-0", "worker-1", "worker-2"];

    [Fact]
    public async Task Redis_is_killed_and_starts_again()
    {
        FollowedRun run = await LoseRedisAsync(TimeSpan.Zero);
        Cluster.AssertNoFault(run);
    }

    [Fact]
    public Task Redis_is_gone_for_longer_than_a_coordinator_goes_on_without_it() => LoseRedisAsync(TimeSpan.FromSeconds(8));

    [Fact(Explicit = true)]
    [Trait("Needs", "time")]
    public Task Redis_is_gone_for_a_minute() => LoseRedisAsync(TimeSpan.FromMinutes(1));

    [Fact]
    public async Task A_volume_that_cannot_be_written_to_is_told_before_the_run_begins()
    {
        await Cluster.HealAsync(Three);
        string disk = Directory.CreateDirectory(Path.Combine(Cluster.Folder, "volume")).FullName;
        Run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", disk);
        try
        {
            UserErrorException mistake = await Assert.ThrowsAsync<UserErrorException>(
                () => Cluster.Fleet.Grains.Cluster.SubmitAsync(
                    "unwritable", UndisturbedRun.Spec with
                    {
                        Output = UndisturbedRun.Spec.Output with { SaveDir = Path.Combine(disk, "run") },
                    }));
            Assert.StartsWith($"--save-dir {disk}/run ", mistake.Message, StringComparison.Ordinal);
            Assert.Contains("Read-only file system", mistake.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(await Cluster.Fleet.Grains.Cluster.RunsAsync(), run => run.Run == "unwritable");
        }
        finally
        {
            Run("umount", "-l", disk);
        }
    }

    [Fact]
    public async Task A_full_disk_costs_a_checkpoint_and_not_the_run()
    {
        await Cluster.HealAsync(Three);
        string disk = Directory.CreateDirectory(Path.Combine(Cluster.Folder, "full")).FullName;
        Run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk);
        try
        {
            string ballast = Path.Combine(disk, "ballast");
            using (FileStream file = File.Create(ballast))
                file.Write(new byte[(4 << 20) - (1 << 16)]);
            FollowedRun run = await Cluster.SubmitAsync("full", UndisturbedRun.Endless);
            FaultNoticed fault = await run.NextAsync<FaultNoticed>(_ => true, "word of the checkpoint that found no space");
            Assert.Contains("was not written", fault.Message, StringComparison.Ordinal);
            Assert.Empty(Directory.GetFiles(disk, "step-*"));
            File.Delete(ballast);
            await run.NextAsync<CheckpointSaved>(_ => true, "a checkpoint");
            await run.StopAsync();
            await undisturbed.AssertSameEndAsync(run);
        }
        finally
        {
            Run("umount", "-l", disk);
        }
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("a bit flipped")]
    public async Task A_damaged_checkpoint_is_refused_by_name_and_the_one_before_it_used(string damage)
    {
        await Cluster.HealAsync(Three);
        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Endless);
        CheckpointSaved first = await run.NextAsync<CheckpointSaved>(_ => true, "a checkpoint");
        await run.StepAsync(first.Step + 1);
        RunEnded stopped = await run.StopAsync();
        Assert.Equal(RunOutcome.Stopped, stopped.Outcome);
        long[] saved = [.. run.Events.OfType<CheckpointSaved>().Select(checkpoint => checkpoint.Step).Distinct()];
        long before = saved.Last(step => step < stopped.Step);
        Damage(stopped.Checkpoint!, damage);

        long position = await Cluster.Fleet.Grains.Cluster.ResumeAsync(run.Name);
        FollowedRun resumed = new(run.Name, run.Spec, Cluster.Fleet.Grains.Run(run.Name), position);
        FaultNoticed refused = await resumed.NextAsync<FaultNoticed>(_ => true, "word of the damaged checkpoint");
        Assert.Contains(stopped.Checkpoint!, refused.Message, StringComparison.Ordinal);
        await resumed.StepAsync(stopped.Step + 1);
        await resumed.StopAsync();
        await undisturbed.AssertSameEndAsync(resumed);
        Assert.Equal(before, resumed.Events.OfType<RunStarted>().Single().FirstStep);
    }

    [Fact]
    public async Task Gradients_that_are_not_finite_are_skipped_alike_and_end_the_run_with_its_last_good_state()
    {
        await Cluster.HealAsync(Three);
        List<RunEnded> ends = [];
        foreach (int workers in new[] { 1, 3 })
        {
            FollowedRun run = await Cluster.SubmitAsync(
                UndisturbedRun.Spec with
                {
                    Schedule = UndisturbedRun.Spec.Schedule with { LearningRate = 3e38 },
                    Limits = UndisturbedRun.Spec.Limits with { MaxSkipped = 4 },
                    Output = UndisturbedRun.Spec.Output with { SaveInterval = 1000 },
                    Compute = UndisturbedRun.Spec.Compute with { Workers = workers },
                });
            RunEnded ended = await run.EndAsync();
            Assert.Equal(RunOutcome.Failed, ended.Outcome);
            Assert.Contains("--learning-rate", ended.Error, StringComparison.Ordinal);
            Assert.True(File.Exists(ended.Checkpoint));
            Assert.Equal([false, true, true, true, true], run.Events.OfType<StepCommitted>().TakeLast(5).Select(step => step.Skipped));
            ends.Add(ended);
        }

        Assert.Equal((ends[0].Step, ends[0].StateHash), (ends[1].Step, ends[1].StateHash));
    }

    /// <summary>As one does that keeps nothing on disk.</summary>
    [Fact]
    public async Task Redis_comes_back_empty_and_the_run_goes_on()
    {
        await Cluster.HealAsync(Three);
        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Endless);
        await run.StepAsync(5);
        await Cluster.Redis.KillAsync();
        Cluster.Redis.Empty();
        await Cluster.Redis.StartAsync();

        await run.StepAsync(run.NewestStep + 20);
        await using (ClusterConnection newcomer = await ClusterConnection.OpenAsync(
            new(Cluster.Redis.Address), ClusterAccess.Open, TestContext.Current.CancellationToken)
            .WithinAsync(Deadline.Generous, "a console that comes now"))
        {
            await Deadline.UntilAsync(
                async () => (await newcomer.Grains.Cluster.RunsAsync()).Any(listed => listed.Run == run.Name),
                $"{run.Name} in the list of runs");
            Assert.Equal(3, (await newcomer.Grains.Cluster.WorkersAsync()).Count);
        }

        await run.StopAsync();
        await undisturbed.AssertSameEndAsync(run);
    }

    private async Task<FollowedRun> LoseRedisAsync(TimeSpan time)
    {
        await Cluster.HealAsync(Three);
        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Endless);
        await run.StepAsync(5);
        await Cluster.Redis.KillAsync();
        // Nothing tells that this time is over but the clock.
        await Task.Delay(time, TestContext.Current.CancellationToken);
        await Cluster.Redis.StartAsync();
        await run.StopAsync();
        await undisturbed.AssertSameEndAsync(run);
        return run;
    }

    private static void Damage(string path, string how)
    {
        using FileStream file = File.Open(path, FileMode.Open);
        if (how == "cut")
        {
            file.SetLength(file.Length - 100);
            return;
        }

        file.Position = file.Length / 2;
        int value = file.ReadByte();
        file.Position--;
        file.WriteByte((byte)(value ^ 4));
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)} failed");
    }
}
