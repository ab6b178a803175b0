using PixelCnnCluster.Contracts;
using PixelCnnCluster.Unit.Tests.Simulation;

namespace PixelCnnCluster.Unit.Tests.Actors;

/// <summary>The grains, in a cluster in memory.</summary>
public sealed class GrainTests(GrainCluster cluster) : IClassFixture<GrainCluster>
{
    [Fact]
    public async Task A_run_trains_to_its_last_step_and_its_record_and_history_say_so()
    {
        RunSpec spec = Spec() with { Limits = Spec().Limits with { MaxSteps = 12 }, Output = Spec().Output with { Samples = 3 } };

        long position = await cluster.Cluster.SubmitAsync("whole", spec).SoonAsync("answer to the submission");
        IReadOnlyList<RunEvent> events = await EventsAsync("whole", position);

        Assert.Equal(RunOutcome.Completed, Assert.IsType<RunEnded>(events[^1]).Outcome);
        Assert.Equal(Enumerable.Range(1, 12).Select(step => (long)step), events.OfType<StepCommitted>().Select(step => step.Step));
        RunOverview overview = await cluster.Run("whole").OverviewAsync();
        Assert.Equal((RunState.Completed, 12L), (overview.State, overview.Step));
        SamplesWritten samples = events.OfType<SamplesWritten>().Last();
        Assert.Equal((12L, 3, Path.Combine(spec.Output.SaveDir, "samples-000000012.png")), (samples.Step, samples.Count, samples.Path));
        Assert.True(File.Exists(samples.Path));
    }

    [Fact]
    public async Task A_run_that_is_stopped_goes_on_when_it_is_resumed()
    {
        long position = await cluster.Cluster.SubmitAsync("stopped", Spec() with
        {
            Limits = Spec().Limits with { MaxSteps = 100_000 },
        }).SoonAsync("submission");

        await cluster.Run("stopped").StopAsync().SoonAsync("answer to the stop");
        RunEnded ended = Assert.IsType<RunEnded>((await EventsAsync("stopped", position))[^1]);
        Assert.Equal(RunOutcome.Stopped, ended.Outcome);

        await cluster.Cluster.ResumeAsync("stopped").SoonAsync("answer to the resumption");
        await cluster.Run("stopped").StopAsync().SoonAsync("answer to the second stop");
    }

    /// <summary>The coordinator that ends has a sign of life to store after the run's end, which the store takes late.</summary>
    [Fact]
    public async Task A_run_that_is_resumed_while_its_coordinator_ends_keeps_the_next_one()
    {
        RunSpec endless = Spec() with { Limits = Spec().Limits with { MaxSteps = 100_000 } };
        long position = await cluster.Cluster.SubmitAsync("again", endless).SoonAsync("submission");
        cluster.Storage.Hold();
        await cluster.Run("again").StopAsync().SoonAsync("answer to the stop");
        await cluster.Storage.Waits.Task.SoonAsync("write of the end");
        cluster.Clock.Ring(TimeSpan.FromSeconds(1));
        // What rang goes on before a call that comes later.
        await cluster.Run("again").OverviewAsync().SoonAsync("overview");
        cluster.Storage.GoOn();
        await cluster.Storage.Refused.Task.SoonAsync("refusal of the sign of life");

        position = await cluster.Cluster.ResumeAsync("again").SoonAsync("resumption");
        cluster.Clock.Ring(TimeSpan.FromMilliseconds(250));
        for (RunProgress? progress = null; progress?.Events.OfType<StepCommitted>().Any() != true; position = progress.Next)
            progress = await cluster.Run("again").ReadAsync(position).SoonAsync("events");

        await cluster.Run("again").StopAsync().SoonAsync("answer to the second stop");
    }

    [Fact]
    public async Task The_clusters_grain_answers_while_the_folder_of_a_submission_hangs()
    {
        cluster.Folders.Hang();

        Task<long> submitted = cluster.Cluster.SubmitAsync("hanging", Spec());
        await cluster.Folders.Waited.Task.SoonAsync("look at the folder");
        await cluster.Cluster.RunsAsync().SoonAsync("list of runs");

        cluster.Folders.Answer();
        await Record.ExceptionAsync(() => submitted);
    }

    [Fact]
    public async Task A_runs_grain_answers_while_its_folder_hangs()
    {
        await cluster.Cluster.SubmitAsync("resumed", Spec() with
        {
            Limits = Spec().Limits with { MaxSteps = 100_000 },
        }).SoonAsync("submission");
        await cluster.Run("resumed").StopAsync().SoonAsync("stop");
        await EventsAsync("resumed", 0);
        cluster.Folders.Hang();

        Task<long> resumed = cluster.Run("resumed").ContinueAsync();
        await cluster.Folders.Waited.Task.SoonAsync("look at the folder");
        RunOverview overview = await cluster.Run("resumed").OverviewAsync().SoonAsync("overview");

        Assert.Equal(RunState.Stopped, overview.State);
        cluster.Folders.Answer();
        await Record.ExceptionAsync(() => resumed);
    }

    /// <summary>As by the list of runs, which knows a run before its record is written.</summary>
    [Fact]
    public async Task A_run_that_is_asked_for_before_it_has_begun_is_not_ended_by_that()
    {
        cluster.Folders.Hang();
        Task<long> begun = cluster.Run("asked").BeginAsync(Spec() with { Limits = Spec().Limits with { MaxSteps = 12 } });
        await cluster.Folders.Waited.Task.SoonAsync("look at the folder");

        await Assert.ThrowsAsync<UserErrorException>(() => cluster.Run("asked").OverviewAsync()).SoonAsync("answer");
        cluster.Folders.Answer();
        await begun.SoonAsync("beginning");

        // Nobody has given it workers yet, so it ends at once.
        await cluster.Run("asked").StopAsync().SoonAsync("answer to the stop");
        Assert.Equal(RunOutcome.Stopped, Assert.IsType<RunEnded>((await EventsAsync("asked", await begun))[^1]).Outcome);
    }

    [Fact]
    public async Task The_models_grain_answers_while_a_models_folder_hangs()
    {
        cluster.Folders.Hang();

        Task<ModelInfo> found = cluster.Models.FindAsync(cluster.NewFolder() + "/");
        await cluster.Folders.Waited.Task.SoonAsync("look at the folder");

        await Assert.ThrowsAsync<UserErrorException>(() => cluster.Models.FindAsync("nobody")).SoonAsync("answer about another model");
        cluster.Folders.Answer();
        await Assert.ThrowsAsync<UserErrorException>(() => found);
    }

    private RunSpec Spec() => Schedule.Spec with
    {
        Output = Schedule.Spec.Output with { SaveDir = cluster.NewFolder() },
        Compute = Schedule.Spec.Compute with { Workers = 1 },
    };

    /// <summary>Until the run has ended.</summary>
    private Task<IReadOnlyList<RunEvent>> EventsAsync(string run, long position) =>
        ReadToEndAsync(run, position).SoonAsync($"end of run {run}");

    private async Task<IReadOnlyList<RunEvent>> ReadToEndAsync(string run, long position)
    {
        List<RunEvent> events = [];
        for (bool isOver = false; !isOver || events.LastOrDefault() is not RunEnded;)
        {
            RunProgress progress = await cluster.Run(run).ReadAsync(position).SoonAsync("events");
            events.AddRange(progress.Events);
            (position, isOver) = (progress.Next, progress.Over);
        }

        return events;
    }
}
