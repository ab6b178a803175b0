using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Tests;

/// <summary>Jobs on real silos give the same pixels whoever draws them and whatever becomes of those, and leave runs as they are.</summary>
public sealed class SamplingTests(UndisturbedRun undisturbed)
{
    private const int Count = 12;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly string[] Three = ["worker-0", "worker-1", "worker-2"];

    [Fact]
    public async Task Any_samplers_and_any_batch_give_the_same_pixels_also_when_one_of_them_is_killed()
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync("worker-0");
        DrawJob job = Draw(await TrainAsync(cluster));
        byte[] alone = await Begin(cluster, job).Job.PixelsAsync();
        Assert.Equal(Count, alone.Chunk(job.Model.ImageBytes).DistinctBy(Convert.ToHexString).Count());

        await cluster.Fleet.StartAsync("worker-1", "worker-2");
        foreach (int? batch in new int?[] { null, 1, 5 })
            Assert.Equal(alone, await Begin(cluster, job with { Batch = batch }).Job.PixelsAsync());
        Assert.NotEqual(alone, await Begin(cluster, job with { Seed = 2 }).Job.PixelsAsync());

        (Guid id, FollowedJob disturbed) = Begin(cluster, job with { Batch = 1, Count = 3 * Count });
        await disturbed.NextAsync<RowDrawn>(row => row.Row > 2, "a few rows");
        string victim = Three.First(name => name != cluster.Fleet.HolderOf(id));
        cluster.Fleet.Silo(victim).Kill();
        byte[] pixels = await disturbed.PixelsAsync();
        Assert.Equal(alone, pixels[..alone.Length]);
        Assert.Equal([victim], disturbed.Events.OfType<SamplerLost>().Select(lost => lost.Sampler).Distinct());
        Assert.Equal(1, disturbed.Beginnings);
    }

    [Fact]
    public async Task A_job_that_is_lost_with_its_silo_is_begun_again_and_gives_the_same_pixels()
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync(Three);
        DrawJob job = Draw(await TrainAsync(cluster)) with { Count = 3 * Count };
        byte[] undisturbedPixels = await Begin(cluster, job).Job.PixelsAsync();
        // On two samplers the job is cut at other places than on three.
        (Guid id, FollowedJob lost) = Begin(cluster, job);
        await lost.NextAsync<RowDrawn>(row => row.Row > 2, "a few rows");
        cluster.Fleet.Silo(cluster.Fleet.HolderOf(id)).Kill();
        Assert.Equal(undisturbedPixels, await lost.PixelsAsync());
        Assert.InRange(lost.Beginnings, 2, int.MaxValue);
    }

    [Fact]
    public async Task A_run_that_trains_is_sampled_also_by_a_silo_that_never_trains()
    {
        const string Sampler = ClusterNames.SamplerPrefix + "extra";
        await using FaultyCluster cluster = await FaultyCluster.StartAsync("worker-0", Sampler);
        FollowedRun run = await cluster.SubmitAsync("run", UndisturbedRun.Spec with { MaxSteps = 75, KeepCheckpoints = 1 });
        await run.StepAsync(10);
        ModelCard now = await cluster.Fleet.Grains.Models().FindAsync("run").WithinAsync(Patience, "the run's checkpoint");
        Assert.InRange(now.Step, 10, 74);
        byte[] together = await Begin(cluster, Draw(now)).Job.PixelsAsync();
        Assert.Equal(["sampler/extra", "worker-0"], (await cluster.Fleet.Grains.Cluster.WorkersAsync()).Select(worker => worker.Worker).Order());
        await undisturbed.AssertSameEndAsync(run);
        Assert.True(File.Exists(now.Path), "the checkpoint that is in use is not among those that are removed");
        Assert.All(run.Events.OfType<GenerationOpened>(), opened => Assert.Equal(["worker-0"], opened.Workers));

        // Alone, it draws what both did.
        cluster.Fleet.Signal("worker-0", "TERM");
        await cluster.Fleet.Silo("worker-0").Exited.WithinAsync(Patience, "the end of worker-0");
        Assert.Equal(together, await Begin(cluster, Draw(now)).Job.PixelsAsync());
    }

    private static async Task<ModelCard> TrainAsync(FaultyCluster cluster)
    {
        FollowedRun run = await cluster.SubmitAsync("run", UndisturbedRun.Spec with { MaxSteps = 10 });
        Assert.Equal(RunOutcome.Completed, (await run.EndAsync()).Outcome);
        ModelCard model = await cluster.Fleet.Grains.Models().FindAsync("run").WithinAsync(Patience, "the run's checkpoint");
        Assert.Equal(10, model.Step);
        return model;
    }

    private static DrawJob Draw(ModelCard model) => new(model, Count, Batch: null, Seed: 1, Class: null, 1, 1, Given: null);

    private static (Guid Id, FollowedJob Job) Begin(FaultyCluster cluster, DrawJob job)
    {
        Guid id = Guid.NewGuid();
        return (id, new(cluster.Fleet.Grains.Job(id), job));
    }
}
