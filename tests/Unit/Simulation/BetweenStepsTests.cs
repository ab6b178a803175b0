using PixelCnnCluster.Actors.Runs;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>Work between steps is a list: another piece of work is one more item.</summary>
public sealed class BetweenStepsTests
{
    [Fact]
    public void Work_that_is_added_is_done_whenever_it_is_due()
    {
        var everyTenth = new EveryTenth();

        Schedule.Run(seed: 1, workers: 2, (cluster, _) =>
        {
            cluster.Coordinator.BetweenSteps.Add(everyTenth);
            return Task.CompletedTask;
        });

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
