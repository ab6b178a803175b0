using PixelCnnCluster.Actors.Runs;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>Work between steps is a list: another piece of work is one more item.</summary>
public sealed class BetweenStepsTests
{
    [Fact]
    public void Work_that_is_added_is_done_whenever_it_is_due()
    {
        var everyTenth = new EveryTenth();
        var world = new World(seed: 1);
        RunEnded ended = world.Run(
            () =>
            {
                var cluster = new SimulatedCluster(world, Schedule.Spec, Schedule.Reference)
                {
                    Began = coordinator => coordinator.BetweenSteps.Add(everyTenth),
                };
                cluster.StartNode();
                cluster.StartNode();
                cluster.StartCoordinator();
                return cluster.Ended;
            },
            Schedule.Deadline,
            awaited: "end of the run");

        Assert.Equal(Schedule.Reference[Schedule.Steps], ended.StateHash);
        // Work that a regrouping may have cut short is asked for again.
        Assert.Equal([10, 20, 30, 40, 50, 60, 70, 80], everyTenth.Done.Distinct());
    }

    private sealed class EveryTenth : IBetweenSteps
    {
        public List<long> Done { get; } = [];

        public bool IsDue(DataOrder order, long step) => step % 10 == 0;

        public Task RunAsync(Generation generation, long step)
        {
            Done.Add(step);
            return Task.CompletedTask;
        }
    }
}
