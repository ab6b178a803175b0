using PixelCnnCluster.Actors.Runs;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>Whose time is the one between two steps.</summary>
public sealed class StepRunnerTests
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(30);

    [Fact]
    public void A_step_that_follows_at_once_begins_at_the_end_of_the_one_before()
    {
        var world = new World(1);
        TimeProvider time = world.ClockOf(() => true);
        var clock = new StepRunner(new(), time);
        // Nobody is asked, so that a step takes no time itself.
        var cluster = new RunCluster(_ => throw new NotSupportedException(), _ => null, () => { });
        var nobody = new Generation(
            "run", new(1, Guid.Empty), [], new WorkerPool(cluster, time, (_, _) => { }), () => clock.AnswerTimeout, time);
        Assert.Equal(
            [TimeSpan.Zero, Pause, TimeSpan.Zero, TimeSpan.Zero, TimeSpan.Zero],
            world.Run(
                async () => new[]
                {
                    await StepAsync(0, prefetchNext: true, () => { }), await StepAsync(1, prefetchNext: false, () => { }),
                        await StepAsync(2, prefetchNext: true, clock.Interrupt),
                    await StepAsync(3, prefetchNext: true, () => clock.Regroup(4, 4)), await StepAsync(4, prefetchNext: true, () => { }),
                },
                TimeSpan.FromMinutes(1),
                awaited: "fifth step"));
        Assert.Equal(5 / Pause.TotalSeconds, clock.StepsPerSecond);

        async Task<TimeSpan> StepAsync(long step, bool prefetchNext, Action after)
        {
            await clock.RunAsync(nobody, step, prefetchNext);
            after();
            await world.Delay(Pause);
            return clock.Newest;
        }
    }
}
