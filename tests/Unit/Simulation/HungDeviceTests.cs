using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>A device or a folder that never answers, in a process that lives, holds a run up for a while and not for ever.</summary>
public sealed class HungDeviceTests
{
    /// <summary>When, in the life of a generation, the device of one of three workers hangs.</summary>
    public enum Moment
    {
        Preparing,
        Training,
        Evaluating,
        AtWorkOfOthers,
    }

    [Theory]
    [InlineData(Moment.Preparing)]
    [InlineData(Moment.Training)]
    [InlineData(Moment.Evaluating)]
    [InlineData(Moment.AtWorkOfOthers)]
    public void The_others_go_on_without_a_device_that_hangs(Moment moment)
    {
        SimulatedCluster after = Schedule.Run(seed: 1, workers: 3, async (cluster, _) =>
        {
            SimulatedNode hung = cluster.Nodes[2];
            if (moment != Moment.Preparing)
                await cluster.ReachAsync(moment == Moment.Evaluating ? 30 : 33);
            hung.Hangs = true;
            if (moment == Moment.AtWorkOfOthers)
                _ = hung.RunAsync(() => true);
        });

        Assert.Equal(["worker-0", "worker-1"], after.Events.OfType<GenerationOpened>().Last().Workers.Order());
        if (moment != Moment.Preparing)
        {
            Assert.Contains(
                after.Events.OfType<FaultNoticed>(), fault => fault.Worker == "worker-2"
                    && fault.Message.Contains("left out", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void A_stop_ends_a_run_whose_folder_hangs()
    {
        RunSpec endless = Schedule.Spec with { Limits = Schedule.Spec.Limits with { MaxSteps = null } };
        (RunEnded ended, _) = Schedule.RunToEnd(endless, workers: 1, async (cluster, end) =>
        {
            cluster.Nodes[0].WritingHangs = true;
            await cluster.ReachAsync(20);
            long stopped = cluster.World.Now;
            await cluster.StopAsync();
            await end;
            Assert.InRange(TimeSpan.FromTicks(cluster.World.Now - stopped), TimeSpan.Zero, TimeSpan.FromMinutes(2));
        });

        Assert.Equal(RunOutcome.Failed, ended.Outcome);
        Assert.Contains("could not be written", ended.Error, StringComparison.Ordinal);
    }
}
