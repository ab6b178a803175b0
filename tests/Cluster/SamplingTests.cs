using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Tests;

/// <summary>Jobs on real silos give the same pixels whoever draws them and whatever becomes of those, and leave runs as they are.</summary>
public sealed class SamplingTests(UndisturbedRun undisturbed)
{
    private const int Count = 12;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly string[] Three = ["worker-0", "worker-1", "worker-2"];

    [Fact]
    public async Task Any_samplers_and_any_batch_give_the_same_pixels_also_when_one_of_them_is_killed()
    {
        await using FaultyCluster cluster = await FaultyCluster.StartAsync("worker-0");
        DrawJob job = Draw(await TrainAsync(cluster));
        byte[] alone = await new FollowedJob(cluster.Fleet, job).PixelsAsync();
        Assert.Equal(Count, alone.Chunk(job.Model.ImageBytes).DistinctBy(Convert.ToHexString).Count());

        await cluster.Fleet.StartAsync("worker-1", "worker-2");
        foreach (int? batch in new int?[] { null, 1, 5 })
            Assert.Equal(alone, await new FollowedJob(cluster.Fleet, job with { Batch = batch }).PixelsAsync());
        Assert.NotEqual(alone, await new FollowedJob(cluster.Fleet, job with { Seed = 2 }).PixelsAsync());

        FollowedJob disturbed = new(cluster.Fleet, job with { Batch = 1, Count = 3 * Count });
        await disturbed.NextAsync<RowDrawn>(row => row.Row > 2, "a few rows");
        string victim = Three.First(name => name != disturbed.Holder());
        cluster.Fleet.Silo(victim).Kill();
        byte[] pixels = await disturbed.PixelsAsync();
        Assert.Equal(alone, pixels[..alone.Length]);
        Assert.Contains(disturbed.Events.OfType<SamplerLost>(), lost => lost.Sampler == victim);
        Assert.Equal(0, disturbed.Begun);
    }
}
