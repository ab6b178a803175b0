using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests.Display;

public sealed class RunStatusTests
{
    private readonly ManualTime _time = new();
    private readonly RunStatus _status;

    public RunStatusTests() => _status = new RunStatus(_time);

    [Fact]
    public void Time_left_follows_from_the_speed()
    {
        _status.Add(Events.Started());
        Assert.Null(_status.TimeLeft);

        _status.Add(Events.Step(200, imagesPerS: 64));

        Assert.Equal(400, _status.TimeLeft!.Value.TotalSeconds, 3);
        Assert.Equal(0.2, _status.Done, 12);
    }

    [Fact]
    public void Minutes_end_a_run_that_is_slower_than_them()
    {
        _status.Add(Events.Started(Events.Spec with { Limits = Events.Spec.Limits with { MaxMinutes = 2 } }));
        _time.Pass(TimeSpan.FromSeconds(90));
        _status.Add(Events.Step(200, imagesPerS: 64));

        Assert.Equal(TimeSpan.FromSeconds(30), _status.TimeLeft);
        Assert.Equal(0.75, _status.Done, 12);

        _time.Pass(TimeSpan.FromMinutes(5));
        Assert.Equal(TimeSpan.Zero, _status.TimeLeft);
    }

    [Fact]
    public void Steps_end_a_run_that_is_faster_than_its_minutes()
    {
        _status.Add(Events.Started(Events.Spec with { Limits = Events.Spec.Limits with { MaxMinutes = 60 } }));
        _status.Add(Events.Step(999, imagesPerS: 32));

        Assert.Equal(1, _status.TimeLeft!.Value.TotalSeconds, 3);
    }

    [Fact]
    public void The_objective_is_smoothed_from_its_first_value_on()
    {
        _status.Add(Events.Started());
        _status.Add(Events.Step(1, bits: 8));
        Assert.Equal(8, _status.Objective!.Value, 9);

        _status.Add(Events.Step(2, bits: 4));
        Assert.InRange(_status.Objective!.Value, 5.5, 6.5);
        Assert.Equal(2, _status.History.Count);
    }

    [Fact]
    public void A_skipped_step_has_no_say()
    {
        _status.Add(Events.Started());
        _status.Add(Events.Step(1, bits: 8));
        _status.Add(Events.Step(2, bits: double.NaN) with { Skipped = true });

        Assert.Equal(8, _status.Objective!.Value, 9);
        Assert.Equal(2, _status.Step);
    }

    [Fact]
    public void Steps_that_are_repeated_count_from_where_they_begin()
    {
        _status.Add(Events.Started());
        _status.Add(Events.Generation(1));
        _status.Add(Events.Step(200, imagesPerS: 64));
        _status.Add(new WorkersAwaited(200));
        Assert.Null(_status.Generation);

        _status.Add(Events.Generation(2, step: 100, redone: 100));

        Assert.Equal((100, 0.1, 2), (_status.Step, _status.Done, _status.Generation!.Generation));
        Assert.Equal(450, _status.TimeLeft!.Value.TotalSeconds, 3);

        _status.Add(Events.Step(101));
        Assert.Equal(101, _status.Step);
    }

    [Fact]
    public void Nobody_is_to_blame_for_what_was_survived()
    {
        _status.Add(new FaultNoticed(7, "worker-1", "it is gone"));
        Assert.Equal("worker-1", _status.FaultyWorker);

        _status.Add(Events.Generation(2, 7));

        Assert.Null(_status.FaultyWorker);
    }

    [Fact]
    public void Energy_distance_has_no_bits()
    {
        _status.Add(Events.Step(1, bits: null));

        Assert.Equal("energy distance", _status.ObjectiveName);
        Assert.Equal(500, _status.Objective!.Value, 9);
    }

    [Fact]
    public void A_long_history_keeps_its_shape_in_few_points()
    {
        var series = new Series(capacity: 8);
        for (int i = 0; i < 1000; i++)
            series.Add(i);

        Assert.InRange(series.Points.Count, 4, 8);
        Assert.Equal(0, series.Points[0]);
        Assert.Equal(series.Points.Order(), series.Points);
        Assert.True(series.Points[^1] > 500, "the newest part is in it");
    }
}
