using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Tests;

/// <summary>Several runs on one cluster, and what its users get wrong.</summary>
public sealed class SharingTests(ClusterFixture cluster) : IClassFixture<ClusterFixture>
{
    private static readonly RunSpec Small = UndisturbedRun.Spec with { MaxSteps = 40, SaveInterval = 1000 };

    [Fact]
    public async Task Workers_are_shared_out_and_go_to_the_next_run()
    {
        FollowedRun first = await cluster.SubmitAsync(Small with { Workers = 3, MaxSteps = 120 });
        Assert.Equal(3, (await first.NextAsync<GenerationOpened>(_ => true, "its workers")).Workers.Count);
        FollowedRun second = await cluster.SubmitAsync(Small with { Workers = 4, MaxSteps = 1000 });
        FollowedRun third = await cluster.SubmitAsync(Small with { Workers = 1 });
        Assert.Single((await second.NextAsync<GenerationOpened>(_ => true, "the worker that is left")).Workers);
        await third.NextAsync<WorkersAwaited>(_ => true, "word that no worker is free");
        IReadOnlyList<RunOverview> runs = await cluster.Fleet.Grains.Cluster.RunsAsync();
        Assert.Equal([RunState.Queued, RunState.Training, RunState.Training], runs.Take(3).Select(run => run.State));
        Assert.Equal([0, 1, 3], runs.Take(3).Select(run => run.Workers.Count));
        IReadOnlyList<WorkerStatus> workers = await cluster.Fleet.Grains.Cluster.WorkersAsync();
        Assert.Equal([1, 3], workers.CountBy(worker => worker.Run ?? "").Select(pair => pair.Value).Order());

        Assert.Equal(RunOutcome.Completed, (await first.EndAsync()).Outcome);
        // A run that has no worker goes before one that has too few.
        Assert.Equal(RunOutcome.Completed, (await third.EndAsync()).Outcome);
        await second.NextAsync<GenerationOpened>(opened => opened.Workers.Count == 4, "all four workers");
        await cluster.Fleet.Grains.Run(second.Name).StopAsync();
        Assert.Equal(RunOutcome.Stopped, (await second.EndAsync()).Outcome);
    }

    /// <summary>Nobody trains here, so that all of them wait.</summary>
    [Fact]
    public async Task Runs_and_jobs_are_limited()
    {
        await using FaultyCluster idle = await FaultyCluster.StartAsync("sampler/only");
        Grains grains = idle.Fleet.Grains;
        for (int i = 0; i < 100; i++)
            await idle.SubmitAsync($"run-{i}", Small);
        UserErrorException mistake = await Assert.ThrowsAsync<UserErrorException>(() => idle.SubmitAsync("one-more", Small));
        Assert.Equal("100 runs train or wait already; wait until one ends, or stop one with the command stop.", mistake.Message);
        await grains.Run("run-0").StopAsync();
        await new FollowedRun("run-0", Small, grains.Run("run-0"), 0).EndAsync();
        await idle.SubmitAsync("one-more", Small);

        var job = new DrawJob(new ModelCard("/none/step-1.safetensors", "none", 1, "", 1, 28, 0, Small, null), 1, null, 1, null, 1, 1, null);
        for (int i = 0; i < 32; i++)
            await grains.Job(Guid.NewGuid()).BeginAsync(job);
        mistake = await Assert.ThrowsAsync<UserErrorException>(() => grains.Job(Guid.NewGuid()).BeginAsync(job));
        Assert.Equal("The silo has 32 jobs already; begin again when one of them has ended.", mistake.Message);
    }

    [Fact]
    public async Task A_queued_run_can_be_stopped()
    {
        FollowedRun first = await cluster.SubmitAsync(Small with { Workers = 4, MaxSteps = 100_000 });
        await first.StepAsync(1);
        FollowedRun waiting = await cluster.SubmitAsync(Small);
        await waiting.NextAsync<WorkersAwaited>(_ => true, "word that no worker is free");
        await cluster.Fleet.Grains.Run(waiting.Name).StopAsync();
        Assert.Equal(RunOutcome.Stopped, (await waiting.EndAsync()).Outcome);
        await cluster.Fleet.Grains.Run(first.Name).StopAsync();
        await first.EndAsync();
    }

    [Fact]
    public async Task A_stopped_run_goes_on_and_a_complete_one_does_not()
    {
        FollowedRun run = await cluster.SubmitAsync(Small);
        await run.StepAsync(5);
        await cluster.Fleet.Grains.Run(run.Name).StopAsync();
        RunEnded stopped = await run.EndAsync();
        long position = await cluster.Fleet.Grains.Cluster.ResumeAsync(run.Name);
        FollowedRun resumed = new(run.Name, run.Spec, cluster.Fleet.Grains.Run(run.Name), position);
        RunEnded ended = await resumed.EndAsync();
        Assert.Equal((RunOutcome.Completed, 40), (ended.Outcome, ended.Step));
        Assert.Equal(stopped.Step, resumed.Events.OfType<RunStarted>().Single().FirstStep);
        Assert.Equal(stopped.Step + 1, resumed.Events.OfType<StepCommitted>().First().Step);

        await AssertMistakeAsync("is complete", () => cluster.Fleet.Grains.Cluster.ResumeAsync(run.Name));
        await AssertMistakeAsync("has ended already", () => cluster.Fleet.Grains.Run(run.Name).StopAsync());
        await AssertMistakeAsync("exists already", () => cluster.Fleet.Grains.Cluster.SubmitAsync(run.Name, run.Spec with { SaveDir = run.Spec.SaveDir + "-other" }));
        await AssertMistakeAsync("holds the checkpoints of another run", () => cluster.Fleet.Grains.Cluster.SubmitAsync("another", run.Spec));
    }

    [Fact]
    public async Task Mistakes_get_their_sentence()
    {
        await AssertMistakeAsync("There is no run named nobody", () => cluster.Fleet.Grains.Run("nobody").StopAsync());
        await AssertMistakeAsync("There is no run named nobody", () => cluster.Fleet.Grains.Run("nobody").ReadAsync(0));
        await AssertMistakeAsync("There is no run named nobody", () => cluster.Fleet.Grains.Cluster.ResumeAsync("nobody"));

        // A member can call any grain, not only the one that consoles call.
        await AssertMistakeAsync("--nr-resnet is 0; give 1 or more.", () => cluster.Fleet.Grains.Run("nobody").BeginAsync(Small with { Blocks = 0, SaveDir = Path.Combine(cluster.Fleet.Folder, "nobody") }));

        FollowedRun run = await cluster.SubmitAsync(Small with { MaxSteps = 100_000 });
        await run.StepAsync(1);
        await AssertMistakeAsync($"Run {run.Name} writes to", () => cluster.Fleet.Grains.Cluster.SubmitAsync("another", run.Spec));
        await AssertMistakeAsync("has not ended", () => cluster.Fleet.Grains.Cluster.ResumeAsync(run.Name));
        await cluster.Fleet.Grains.Run(run.Name).StopAsync();
        await run.EndAsync();

        FollowedRun nowhere = await cluster.Fleet.SubmitAsync("nowhere", Small with { DataDir = "/nowhere" });
        RunEnded ended = await nowhere.EndAsync();
        Assert.Equal((RunOutcome.Failed, true), (ended.Outcome, ended.UserError));
        Assert.Contains("/nowhere", ended.Error, StringComparison.Ordinal);
    }

    private static async Task AssertMistakeAsync(string sentence, Func<Task> call)
    {
        UserErrorException mistake = await Assert.ThrowsAsync<UserErrorException>(call);
        Assert.Contains(sentence, mistake.Message, StringComparison.Ordinal);
    }
}
