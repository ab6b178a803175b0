using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Jobs;

/// <summary>A job's results are complete and the same whoever does its parts, and its last event says how it ended.</summary>
public sealed class JobCoordinatorTests
{
    private static readonly string[] Three = ["a", "b", "c"];

    [Theory]
    [InlineData(1, 7, null)]
    [InlineData(2, 7, null)]
    [InlineData(3, 7, null)]
    [InlineData(3, 2, null)]
    [InlineData(1, 200, null)]
    [InlineData(1, 7, 1)]
    [InlineData(2, 7, 3)]
    [InlineData(3, 7, 7)]
    [InlineData(3, 7, 4096)]
    public void Any_number_of_samplers_and_any_batch_gives_every_image(int samplers, int count, int? batch)
    {
        new JobBench(1).With(Three[..samplers]).Run(JobBench.Sample(count, batch)).AssertSampled(count);
        new JobBench(1).With(Three[..samplers]).Run(JobBench.Score(count, batch)).AssertScored(count);
    }

    [Fact]
    public void Every_sampler_gets_a_share()
    {
        JobBench bench = new JobBench(1).With(Three).Run(JobBench.Sample(7));
        Assert.Equal(
            [3, 3, 1],
            bench.Events.OfType<RowSampled>().GroupBy(row => row.First).OrderBy(part => part.Key)
                .Select(part => part.First().End - part.Key));
        Assert.All(Three, name => Assert.NotEqual(0, bench[name].Calls));
    }

    [Fact]
    public void Given_images_go_with_the_completions_of_theirs()
    {
        byte[] images = [.. Enumerable.Range(0, 3 * JobBench.Model.ImageBytes).Select(i => (byte)(i / JobBench.Model.ImageBytes))];
        new JobBench(1).With(Three).Run(JobBench.Sample(6, 4) with { Given = new(images, new bool[64], Each: 2) }).AssertSampled(6);
    }

    /// <summary>Over many schedules of losses that come and go.</summary>
    [Fact]
    public void Whatever_is_lost_each_row_is_told_once_and_in_order()
    {
        int losses = 0;
        for (int seed = 1; seed <= 300; seed++)
        {
            JobBench bench = new JobBench(seed).With(Three);
            foreach (string name in Three)
                bench[name].Fault = _ => bench.World.Chance(0.7) ? null : bench.World.Chance(0.5) ? new OrleansException("gone")
                    : new StaleOrderException("stale");
            (int count, int batch) = (bench.World.Random.Next(1, 12), bench.World.Random.Next(1, 5));
            if (seed % 3 == 0)
                bench.Run(JobBench.Score(count, batch)).AssertScored(count);
            else
                bench.Run(JobBench.Sample(count, batch)).AssertSampled(count);
            losses += bench.Events.OfType<SamplerLost>().Count();
        }

        Assert.InRange(losses, 300, int.MaxValue);
    }

    [Fact]
    public void A_sampler_that_is_gone_has_its_images_finished_by_another()
    {
        JobBench bench = new JobBench(3).With("a", "b");
        bench["a"].MostRows = 1;
        bench.Told = e =>
        {
            if (e is RowSampled { First: 0, Row: 1 })
                bench.Absent.Add("a");
        };
        bench.Run(JobBench.Sample(4)).AssertSampled(4);
        SamplerLost lost = Assert.Single(bench.Events.OfType<SamplerLost>());
        Assert.Equal(("a", "No silo named a is in the cluster."), (lost.Sampler, lost.Message));
    }

    /// <summary>A model that takes all memory, say: it would take one silo after the other.</summary>
    [Fact]
    public void A_part_that_ended_two_samplers_is_not_given_to_a_third()
    {
        JobBench bench = new JobBench(1).With(Three);
        foreach (string name in Three)
        {
            bench[name].Fault = _ =>
            {
                bench.Absent.Add(name);
                return new OrleansException("gone");
            };
        }

        bench.Run(JobBench.Sample(1));

        Assert.Equal(2, Three.Sum(name => bench[name].Calls));
        Assert.Contains("ended while they had the same images to do, so no other is asked", bench.End.Error, StringComparison.Ordinal);
        Assert.False(bench.End.UserError);
    }

    /// <summary>As when silos are stopped one after the other.</summary>
    [Fact]
    public void A_part_that_went_forward_goes_on_however_many_end()
    {
        JobBench bench = new JobBench(2).With(Three);
        foreach (string name in Three[..2])
        {
            bench[name].MostRows = 1;
            bench[name].Fault = call =>
            {
                if (call == 0)
                    return null;
                bench.Absent.Add(name);
                return new OrleansException("gone");
            };
        }

        // The third comes when the others have gone.
        bench.Absent.Add("c");
        bench.Told = e =>
        {
            if (e is SamplerLost && bench.Absent.Count == 3)
                bench.Absent.Remove("c");
        };

        bench.Run(JobBench.Sample(1)).AssertSampled(1);

        Assert.Equal((2, 2), (bench["a"].Calls, bench["b"].Calls));
    }

    /// <summary>Both were gone before anybody knew of either.</summary>
    [Fact]
    public void Samplers_that_end_at_the_same_time_end_no_job()
    {
        JobBench bench = new JobBench(4).With(Three);
        foreach (string name in Three[..2])
        {
            bench[name].Fault = _ =>
            {
                bench.Absent.UnionWith(Three[..2]);
                return new OrleansException("gone");
            };
        }

        bench.Run(JobBench.Score(3, 1)).AssertScored(3);
    }

    [Fact]
    public void A_sampler_whose_work_throws_is_not_asked_again()
    {
        JobBench bench = new JobBench(1).With("a", "b");
        bench["a"].Fault = _ => new InvalidOperationException("out of memory");
        bench.Run(JobBench.Sample(12, 1)).AssertSampled(12);
        Assert.Equal(1, bench["a"].Calls);
        Assert.Equal(new SamplerLost("a", "out of memory"), Assert.Single(bench.Events.OfType<SamplerLost>()));
    }

    [Fact]
    public void When_the_work_of_all_throws_the_job_ends_with_what_they_said()
    {
        JobBench bench = new JobBench(1).With("a", "b");
        foreach (string name in new[] { "a", "b" })
            bench[name].Fault = _ => new InvalidOperationException("out of memory");
        bench.Run(JobBench.Sample(12, 1));
        Assert.Contains("out of memory", bench.End.Error, StringComparison.Ordinal);
        Assert.False(bench.End.UserError);
        Assert.Equal((1, 1), (bench["a"].Calls, bench["b"].Calls));
    }

    [Fact]
    public void A_mistake_of_the_users_that_all_find_ends_the_job_and_nothing_is_told_after_it()
    {
        JobBench bench = new JobBench(1).With("a", "b");
        foreach (string name in new[] { "a", "b" })
            bench[name].Fault = call => call < 1 ? null : new UserErrorException("The model is damaged.");

        bench.Run(JobBench.Sample(5000, 1));

        Assert.Equal(new JobEnded("The model is damaged.", UserError: true), bench.End);
        Assert.Single(bench.Events.OfType<SamplerLost>());
        Assert.Equal((2, 2), (bench["a"].Calls, bench["b"].Calls));
    }

    [Fact]
    public void A_sampler_that_lacks_the_files_is_told_of_and_another_does_its_part()
    {
        JobBench bench = new JobBench(1).With("a", "b");
        bench["a"].Fault = _ => new UserErrorException("There is no model.");

        bench.Run(JobBench.Sample(12, 1)).AssertSampled(12);

        Assert.Equal(new SamplerLost("a", "There is no model."), Assert.Single(bench.Events.OfType<SamplerLost>()));
    }

    /// <summary>The one that can do the job is back after a while.</summary>
    [Fact]
    public void A_job_waits_for_a_sampler_that_is_merely_away_while_another_is_unfit()
    {
        JobBench bench = new JobBench(3).With("a", "b");
        bench["a"].Fault = _ => new InvalidOperationException("out of memory");
        bench.Told = async e =>
        {
            if (e is RowSampled { Row: 0 } && bench.Events.OfType<RowSampled>().Count() == 1)
            {
                bench.Absent.Add("b");
                await bench.World.Delay(TimeSpan.FromSeconds(10));
                bench.Absent.Clear();
            }
        };

        bench.Run(JobBench.Sample(12, 1)).AssertSampled(12);

        Assert.Single(bench.Events.OfType<SamplersAwaited>());
    }

    [Fact]
    public void A_call_that_takes_too_long_is_asked_again_and_not_counted_as_a_loss()
    {
        JobBench bench = new JobBench(1).With("a");
        bench["a"].Fault = call => call % 4 < 3 ? new TimeoutException() : null;
        bench.Run(JobBench.Sample(3)).AssertSampled(3);
        Assert.Empty(bench.Events.OfType<SamplerLost>());
    }

    [Fact]
    public void Without_a_sampler_the_job_says_so_once_and_goes_on_when_one_comes()
    {
        JobBench bench = new JobBench(1).With("a");
        bench.Absent.Add("a");
        bench.Told = async e =>
        {
            if (e is SamplersAwaited)
            {
                await bench.World.Delay(TimeSpan.FromSeconds(20));
                bench.Absent.Clear();
            }
        };
        bench.Run(JobBench.Sample(5)).AssertSampled(5);
        Assert.Single(bench.Events.OfType<SamplersAwaited>());
        Assert.Single(bench.Events.OfType<RowSampled>().GroupBy(row => row.First));
        Assert.InRange(bench.World.Elapsed.TotalSeconds, 20, 90);
    }

    [Fact]
    public void A_job_that_nobody_wants_ends()
    {
        JobBench bench = new JobBench(1).With("a");
        bench.Told = e => bench.IsWanted &= e is not RowSampled;
        bench.Run(JobBench.Sample(5000, 1));
        Assert.Contains("Nobody waits", bench.End.Error, StringComparison.Ordinal);
        Assert.InRange(bench["a"].Calls, 1, 2);

        JobBench lonely = new JobBench(1).With();
        lonely.Told = _ => lonely.IsWanted = false;
        lonely.Run(JobBench.Sample(5));
        Assert.Contains("Nobody waits", lonely.End.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(30, 9, 9)]
    [InlineData(30, 100, 30)]
    public void A_data_set_is_counted_by_a_sampler_and_cut_to_what_is_asked_for(int there, int asked, int count)
    {
        JobBench bench = new JobBench(1).With(Three);
        foreach (string name in Three)
            bench[name].DataSetImages = there;
        bench["a"].Fault = call => call == 0 ? new OrleansException("gone") : null;
        bench.Run(JobBench.Score(1, 4) with { Count = asked, Images = null, DataSet = new(DataSet.Digits, "", Train: false) })
            .AssertScored(count);
        Assert.Equal(new JobStarted(count), Assert.Single(bench.Events.OfType<JobStarted>()));
    }

    [Fact]
    public void A_wrong_job_ends_before_it_begins()
    {
        JobBench bench = new JobBench(1).With("a").Run(JobBench.Sample(0, 0));
        JobEnded end = Assert.IsType<JobEnded>(Assert.Single(bench.Events));
        Assert.True(end.UserError);
        Assert.All(["--count", "--batch"], flag => Assert.Contains(flag, end.Error, StringComparison.Ordinal));
        Assert.Equal(0, bench["a"].Calls);
    }
}
