using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests;

/// <summary>A silo that samples and never trains.</summary>
[Collection(nameof(OneSilo))]
public sealed class SampleOnlyTests(TestCluster cluster, UndisturbedRun undisturbed) : ClusterTests(cluster)
{
    [Fact]
    public async Task A_run_that_trains_is_sampled_also_by_a_silo_that_never_trains()
    {
        const string Sampler = ClusterNames.SamplerPrefix + "extra";
        await Cluster.HealAsync("worker-0", Sampler);
        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Endless with
        {
            Output = UndisturbedRun.Endless.Output with { KeepCheckpoints = 1 },
        });
        await run.StepAsync(10);
        ModelInfo now = await Cluster.Fleet.Grains.Models().FindAsync(run.Name).WithinAsync(Deadline.Generous, "the run's checkpoint");
        Assert.InRange(now.Step, 10, int.MaxValue);
        SampleJob draw = new() { Model = now, Count = 12, Seed = 1 };
        byte[] together = await new FollowedJob(Cluster.Fleet.Grains.Job(Guid.NewGuid()), draw).PixelsAsync();
        Assert.Equal(
            ["sampler/extra", "worker-0"], (await Cluster.Fleet.Grains.Cluster.WorkersAsync()).Select(worker => worker.Worker).Order());
        await run.StepAsync(now.Step + 30);
        await run.StopAsync();
        await undisturbed.AssertSameEndAsync(run);
        Assert.True(File.Exists(now.Path), "the checkpoint that is in use is not among those that are removed");
        Assert.All(run.Events.OfType<GenerationOpened>(), opened => Assert.Equal(["worker-0"], opened.Workers));

        // Alone, it samples what both did.
        Cluster.Fleet.Signal("worker-0", "TERM");
        await Cluster.Fleet.Silo("worker-0").Exited.WithinAsync(Deadline.Generous, "the end of worker-0");
        Assert.Equal(together, await new FollowedJob(Cluster.Fleet.Grains.Job(Guid.NewGuid()), draw).PixelsAsync());
    }
}
