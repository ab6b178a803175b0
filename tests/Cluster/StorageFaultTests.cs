using System.Diagnostics;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Tests;

/// <summary>The store goes away, disks fill up, files are damaged and gradients run out of the numbers.</summary>
public sealed class StorageFaultTests(UndisturbedRun undisturbed)
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task Redis_is_killed_and_starts_again()
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync("worker-0", "worker-1");
        FollowedRun run = await cluster.SubmitAsync("run", UndisturbedRun.Spec);
        await run.StepAsync(10);
        await cluster.Redis.KillAsync();
        await cluster.Redis.StartAsync();
        await undisturbed.AssertSameEndAsync(run);
        Assert.Empty(run.Events.OfType<FaultNoticed>());
    }

    [Fact]
    public async Task Redis_is_gone_for_a_minute()
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync("worker-0", "worker-1");
        FollowedRun run = await cluster.SubmitAsync("run", UndisturbedRun.Spec);
        await run.StepAsync(10);
        await cluster.Redis.KillAsync();
        // Nothing tells that a minute is over but the clock.
        await Task.Delay(Minute, TestContext.Current.CancellationToken);
        await cluster.Redis.StartAsync();
        await undisturbed.AssertSameEndAsync(run);
    }

    [Fact]
    public async Task A_volume_that_cannot_be_written_to_is_told_before_the_run_begins()
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync("worker-0");
        string disk = Directory.CreateDirectory(Path.Combine(cluster.Folder, "volume")).FullName;
        Run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", disk);
        try
        {
            UserErrorException mistake = await Assert.ThrowsAsync<UserErrorException>(() => cluster.Fleet.Grains.Cluster.SubmitAsync("run", UndisturbedRun.Spec with { SaveDir = Path.Combine(disk, "run") }));
            Assert.Equal($"--save-dir {disk}/run cannot be written to (Read-only file system : '{disk}/run'); mend the silos' volume or its rights, or name another folder.", mistake.Message);
            Assert.Empty(await cluster.Fleet.Grains.Cluster.RunsAsync());
        }
        finally
        {
            Run("umount", "-l", disk);
        }
    }

    [Fact]
    public async Task A_full_disk_costs_a_checkpoint_and_not_the_run()
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync("worker-0", "worker-1");
        string disk = Directory.CreateDirectory(Path.Combine(cluster.Folder, "run")).FullName;
        Run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk);
        try
        {
            string ballast = Path.Combine(disk, "ballast");
            using (FileStream file = File.Create(ballast))
                file.Write(new byte[(4 << 20) - (1 << 16)]);
            FollowedRun run = await cluster.SubmitAsync("run", UndisturbedRun.Spec);
            FaultNoticed fault = await run.NextAsync<FaultNoticed>(_ => true, "word of the checkpoint that found no space");
            Assert.Contains("was not written", fault.Message, StringComparison.Ordinal);
            Assert.Empty(Directory.GetFiles(disk, "step-*"));
            File.Delete(ballast);
            await run.NextAsync<CheckpointSaved>(_ => true, "a checkpoint");
            await undisturbed.AssertSameEndAsync(run);
        }
        finally
        {
            await cluster.Fleet.DisposeAsync();
            Run("umount", "-l", disk);
        }
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("a bit flipped")]
    public async Task A_damaged_checkpoint_is_refused_by_name_and_the_one_before_it_used(string damage)
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync("worker-0");
        FollowedRun run = await cluster.SubmitAsync("run", UndisturbedRun.Spec);
        await run.NextAsync<CheckpointSaved>(_ => true, "a checkpoint");
        CheckpointSaved before = await run.NextAsync<CheckpointSaved>(_ => true, "another checkpoint");
        await cluster.Fleet.Grains.Run("run").StopAsync();
        RunEnded stopped = await run.EndAsync();
        Assert.Equal(RunOutcome.Stopped, stopped.Outcome);
        Assert.True(stopped.Step > before.Step);
        Damage(stopped.Checkpoint!, damage);

        long position = await cluster.Fleet.Grains.Cluster.ResumeAsync("run");
        FollowedRun resumed = new("run", run.Spec, cluster.Fleet.Grains.Run("run"), position);
        FaultNoticed refused = await resumed.NextAsync<FaultNoticed>(_ => true, "word of the damaged checkpoint");
        Assert.Contains(stopped.Checkpoint!, refused.Message, StringComparison.Ordinal);
        await undisturbed.AssertSameEndAsync(resumed);
        Assert.Equal(before.Step, resumed.Events.OfType<RunStarted>().Single().FirstStep);
    }

    [Fact]
    public async Task Gradients_that_are_not_finite_are_skipped_alike_and_end_the_run_with_its_last_good_state()
    {
        RunSpec wild = UndisturbedRun.Spec with { LearningRate = 3e38, MaxSkipped = 4, SaveInterval = 1000 };
        List<RunEnded> ends = [];
        foreach (string[] silos in new[] { ["worker-0"], new[] { "worker-0", "worker-1", "worker-2" } })
        {
            await using FaultyCluster cluster = await FaultyCluster.StartAsync(silos);
            FollowedRun run = await cluster.SubmitAsync("run", wild);
            RunEnded ended = await run.EndAsync();
            Assert.Equal(RunOutcome.Failed, ended.Outcome);
            Assert.Contains("--learning-rate", ended.Error, StringComparison.Ordinal);
            Assert.True(File.Exists(ended.Checkpoint));
            Assert.Equal([false, true, true, true, true], run.Events.OfType<StepCommitted>().TakeLast(5).Select(step => step.Skipped));
            ends.Add(ended);
        }

        Assert.Equal((ends[0].Step, ends[0].StateHash), (ends[1].Step, ends[1].StateHash));
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
        using Process process = Process.Start(program, arguments);
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)} failed");
    }
}
