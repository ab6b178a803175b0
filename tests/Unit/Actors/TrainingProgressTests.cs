using PixelCnnCluster.Actors.Runs;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Actors;

public sealed class TrainingProgressTests
{
    /// <summary>A time limit counts what was trained and is there still.</summary>
    [Fact]
    public void Seconds_of_steps_that_a_fault_took_do_not_count()
    {
        var record = new RunRecord { State = RunState.Training, FirstStep = 100, Step = 200, Seconds = 60 };
        var progress = new TrainingProgress(record, TimeProvider.System);

        progress.Start(At(150), totalSteps: 1000);
        progress.Pause();

        Assert.InRange(progress.Seconds, 30, 31);
    }

    [Fact]
    public void A_run_that_begins_again_has_trained_for_no_time()
    {
        var record = new RunRecord { State = RunState.Training, Step = 200, Seconds = 60 };
        var progress = new TrainingProgress(record, TimeProvider.System);

        progress.Start(At(0), totalSteps: 1000);
        progress.Pause();

        Assert.InRange(progress.Seconds, 0, 1);
    }

    private static JoinResponse At(long step) => new()
    {
        Worker = "worker",
        Step = step,
        SkippedInARow = 0,
        Images = 0,
        Parameters = 1,
        TrainImages = 1,
        TestImages = 1,
        Channels = 1,
        Size = 8,
        StateHash = "hash",
        Refused = [],
    };
}
