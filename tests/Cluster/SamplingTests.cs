using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests;

/// <summary>
/// Jobs on real silos give the same pixels whoever samples them and whatever becomes of those, and leave runs as they are.
/// </summary>
[Collection(nameof(FaultCluster))]
public sealed class SamplingTests(TestCluster cluster) : ClusterTests(cluster)
{
    private const int Count = 12;

    private static readonly string[] Three = ["worker-0", "worker-1", "worker-2"];

    [Fact]
    public async Task Any_samplers_and_any_batch_give_the_same_pixels_also_when_one_of_them_is_killed()
    {
        await Cluster.HealAsync(Three);
        SampleJob job = SampleJobOf(await TrainAsync());
        // All images are one part, which one sampler samples.
        byte[] alone = await Begin(job with { Batch = Count }).Job.PixelsAsync();
        Assert.Equal(Count, alone.Chunk(job.Model.ImageBytes).DistinctBy(Convert.ToHexString).Count());

        foreach (int? batch in new int?[] { null, 1, 5 })
            Assert.Equal(alone, await Begin(job with { Batch = batch }).Job.PixelsAsync());
        Assert.NotEqual(alone, await Begin(job with { Seed = 2 }).Job.PixelsAsync());

        (Guid id, FollowedJob disturbed) = Begin(job with { Batch = 1, Count = 3 * Count });
        await disturbed.NextAsync<RowSampled>(row => row.Row > 2, "a few rows");
        string victim = Three.First(name => name != Cluster.Fleet.HolderOf(id));
        Cluster.Fleet.Kill(victim);
        byte[] pixels = await disturbed.PixelsAsync();
        Assert.Equal(alone, pixels[..alone.Length]);
        Assert.Equal([victim], disturbed.Events.OfType<SamplerLost>().Select(lost => lost.Sampler).Distinct());
        Assert.Equal(1, disturbed.Beginnings);
    }

    [Fact]
    public async Task A_job_that_is_lost_with_its_silo_is_begun_again_and_gives_the_same_pixels()
    {
        await Cluster.HealAsync(Three);
        SampleJob job = SampleJobOf(await TrainAsync()) with { Count = 3 * Count };
        byte[] undisturbedPixels = await Begin(job).Job.PixelsAsync();
        // On two samplers the job is cut at other places than on three.
        (Guid id, FollowedJob lost) = Begin(job);
        await lost.NextAsync<RowSampled>(row => row.Row > 2, "a few rows");
        Cluster.Fleet.Kill(Cluster.Fleet.HolderOf(id));
        Assert.Equal(undisturbedPixels, await lost.PixelsAsync());
        Assert.InRange(lost.Beginnings, 2, int.MaxValue);
    }

    private async Task<ModelInfo> TrainAsync()
    {
        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Spec with
        {
            Limits = UndisturbedRun.Spec.Limits with { MaxSteps = 10 },
        });
        Assert.Equal(RunOutcome.Completed, (await run.EndAsync()).Outcome);
        ModelInfo model = await Cluster.Fleet.Grains.Models().FindAsync(run.Name).WithinAsync(Deadline.Generous, "the run's checkpoint");
        Assert.Equal(10, model.Step);
        return model;
    }

    private static SampleJob SampleJobOf(ModelInfo model) => new() { Model = model, Count = Count, Seed = 1 };

    private (Guid Id, FollowedJob Job) Begin(SampleJob job)
    {
        var id = Guid.NewGuid();
        return (id, new(Cluster.Fleet.Grains.Job(id), job));
    }
}
