using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests.Faults;

/// <summary>Silos on processors of two kinds, the second of which is an older one as far as the libraries see.</summary>
public sealed class MixedWorkersTests() : ClusterTests(new(), isOwn: true)
{
    [Fact]
    public async Task A_silo_that_rounds_differently_is_left_out_by_name_or_let_in_by_a_flag()
    {
        await Cluster.HealAsync("worker-0");
        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Endless with
        {
            Compute = UndisturbedRun.Endless.Compute with { Workers = 2 },
        });
        await run.StepAsync(1);
        Cluster.Fleet.Environment["ATEN_CPU_CAPABILITY"] = "default";
        Cluster.Fleet.Environment["ONEDNN_MAX_CPU_ISA"] = "SSE41";
        await Cluster.Fleet.StartAsync("worker-1");
        FaultNoticed told = await run.NextAsync<FaultNoticed>(
            fault => fault.Worker == "worker-1", "word of the silo that rounds differently");
        Assert.StartsWith("worker-1 rounds differently", told.Message, StringComparison.Ordinal);
        await run.StepAsync(run.NewestStep + 5);
        await run.StopAsync();
        Assert.All(run.Events.OfType<GenerationOpened>(), opened => Assert.Equal(["worker-0"], opened.Workers));

        FollowedRun mixed = await Cluster.SubmitAsync(UndisturbedRun.Endless with
        {
            Compute = UndisturbedRun.Endless.Compute with { Workers = 2, MixedWorkers = true },
        });
        await mixed.NextAsync<GenerationOpened>(opened => opened.Workers.Count == 2, "a generation of both");
        await mixed.StopAsync();
    }
}
