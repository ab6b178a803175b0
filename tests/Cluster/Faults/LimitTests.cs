using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests.Faults;

/// <summary>How much a cluster takes on at once.</summary>
public sealed class LimitTests() : ClusterTests(new(), isOwn: true)
{
    /// <summary>Nobody trains here, so that all of them wait.</summary>
    [Fact]
    public async Task Runs_and_jobs_are_limited()
    {
        await Cluster.HealAsync("sampler/only");
        Grains grains = Cluster.Fleet.Grains;
        for (int i = 0; i < 100; i++)
            await Cluster.SubmitAsync($"run-{i}", UndisturbedRun.Spec);
        UserErrorException mistake = await Assert.ThrowsAsync<UserErrorException>(
            () => Cluster.SubmitAsync("one-more", UndisturbedRun.Spec));
        Assert.StartsWith("100 runs ", mistake.Message, StringComparison.Ordinal);
        await grains.Run("run-0").StopAsync();
        await new FollowedRun("run-0", UndisturbedRun.Spec, grains.Run("run-0"), 0).EndAsync();
        await Cluster.SubmitAsync("one-more", UndisturbedRun.Spec);

        ModelInfo model = new()
        {
            Path = "/none/step-1.safetensors",
            Run = "none",
            Step = 1,
            StateHash = "",
            Channels = 1,
            Size = 28,
            Spec = UndisturbedRun.Spec,
        };
        var job = new SampleJob { Model = model, Count = 1, Seed = 1 };
        for (int i = 0; i < 32; i++)
            await grains.Job(Guid.NewGuid()).BeginAsync(job);
        mistake = await Assert.ThrowsAsync<UserErrorException>(() => grains.Job(Guid.NewGuid()).BeginAsync(job));
        Assert.Contains("32 jobs", mistake.Message, StringComparison.Ordinal);
    }
}
