using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests;

/// <summary>Several runs on one cluster, and what its users get wrong.</summary>
[Collection(nameof(SharedSilos))]
public sealed class SharingTests(TestCluster cluster) : ClusterTests(cluster), IAsyncLifetime
{
    private static readonly RunSpec Small = UndisturbedRun.Spec with
    {
        Optimiser = UndisturbedRun.Spec.Optimiser with { Shards = 4 },
        Limits = UndisturbedRun.Spec.Limits with { MaxSteps = 6 },
        Output = UndisturbedRun.Spec.Output with { SaveInterval = 1000 },
    };

    public async ValueTask InitializeAsync() => await Cluster.HealAsync("worker-0", "worker-1", "worker-2", "worker-3");

    [Fact]
    public async Task Workers_are_shared_out_and_go_to_the_next_run()
    {
        FollowedRun first = await Cluster.SubmitAsync(Small with
        {
            Limits = Small.Limits with { MaxSteps = null },
            Compute = Small.Compute with { Workers = 3 },
        });
        Assert.Equal(3, (await first.NextAsync<GenerationOpened>(_ => true, "its workers")).Workers.Count);
        FollowedRun second = await Cluster.SubmitAsync(Small with
        {
            Limits = Small.Limits with { MaxSteps = null },
            Compute = Small.Compute with { Workers = 4 },
        });
        FollowedRun third = await Cluster.SubmitAsync(Small with { Compute = Small.Compute with { Workers = 1 } });
        Assert.Single((await second.NextAsync<GenerationOpened>(_ => true, "the worker that is left")).Workers);
        await third.NextAsync<WorkersAwaited>(_ => true, "word that no worker is free");
        IReadOnlyList<RunOverview> runs = await Cluster.Fleet.Grains.Cluster.RunsAsync();
        Assert.Equal([RunState.Queued, RunState.Training, RunState.Training], runs.Take(3).Select(run => run.State));
        Assert.Equal([0, 1, 3], runs.Take(3).Select(run => run.Workers.Count));
        IReadOnlyList<WorkerStatus> workers = await Cluster.Fleet.Grains.Cluster.WorkersAsync();
        Assert.Equal([1, 3], workers.CountBy(worker => worker.Run ?? "").Select(pair => pair.Value).Order());

        await first.StopAsync();
        // A run that has no worker goes before one that has too few.
        Assert.Equal(RunOutcome.Completed, (await third.EndAsync()).Outcome);
        await second.NextAsync<GenerationOpened>(opened => opened.Workers.Count == 4, "all four workers");
        Assert.Equal(RunOutcome.Stopped, (await second.StopAsync()).Outcome);
    }

    [Fact]
    public async Task A_queued_run_can_be_stopped()
    {
        FollowedRun first = await Cluster.SubmitAsync(Small with
        {
            Limits = Small.Limits with { MaxSteps = null },
            Compute = Small.Compute with { Workers = 4 },
        });
        await first.StepAsync(1);
        FollowedRun waiting = await Cluster.SubmitAsync(Small);
        await waiting.NextAsync<WorkersAwaited>(_ => true, "word that no worker is free");
        Assert.Equal(RunOutcome.Stopped, (await waiting.StopAsync()).Outcome);
        await first.StopAsync();
    }

    [Fact]
    public async Task A_stopped_run_goes_on_and_a_complete_one_does_not()
    {
        FollowedRun run = await Cluster.SubmitAsync(Small with { Limits = Small.Limits with { MaxSteps = 30 } });
        await run.StepAsync(5);
        RunEnded stopped = await run.StopAsync();
        long position = await Cluster.Fleet.Grains.Cluster.ResumeAsync(run.Name);
        FollowedRun resumed = new(run.Name, run.Spec, Cluster.Fleet.Grains.Run(run.Name), position);
        RunEnded ended = await resumed.EndAsync();
        Assert.Equal((RunOutcome.Completed, 30), (ended.Outcome, ended.Step));
        Assert.Equal(stopped.Step, resumed.Events.OfType<RunStarted>().Single().FirstStep);
        Assert.Equal(stopped.Step + 1, resumed.Events.OfType<StepCommitted>().First().Step);

        await AssertMistakeAsync("is complete", () => Cluster.Fleet.Grains.Cluster.ResumeAsync(run.Name));
        await AssertMistakeAsync("has ended already", () => Cluster.Fleet.Grains.Run(run.Name).StopAsync());
        await AssertMistakeAsync(
            "exists already",
            () => Cluster.Fleet.Grains.Cluster.SubmitAsync(run.Name, run.Spec with
            {
                Output = run.Spec.Output with { SaveDir = run.Spec.Output.SaveDir + "-other" },
            }));
        await AssertMistakeAsync(
            "holds the checkpoints of another run", () => Cluster.Fleet.Grains.Cluster.SubmitAsync("another", run.Spec));
    }

    [Fact]
    public async Task Mistakes_get_their_sentence()
    {
        await AssertMistakeAsync("There is no run named nobody", () => Cluster.Fleet.Grains.Run("nobody").StopAsync());
        await AssertMistakeAsync("There is no run named nobody", () => Cluster.Fleet.Grains.Run("nobody").ReadAsync(0));
        await AssertMistakeAsync("There is no run named nobody", () => Cluster.Fleet.Grains.Cluster.ResumeAsync("nobody"));

        // A member can call any grain, not only the one that consoles call.
        await AssertMistakeAsync(
            "--nr-resnet is 0; give 1 or more.",
            () => Cluster.Fleet.Grains.Run("nobody").BeginAsync(
                Small with
                {
                    Model = Small.Model with { Blocks = 0 },
                    Output = Small.Output with { SaveDir = Path.Combine(Cluster.Fleet.Folder, "nobody") },
                }));

        FollowedRun run = await Cluster.SubmitAsync(Small with { Limits = Small.Limits with { MaxSteps = null } });
        await run.StepAsync(1);
        await AssertMistakeAsync($"Run {run.Name} writes to", () => Cluster.Fleet.Grains.Cluster.SubmitAsync("another", run.Spec));
        await AssertMistakeAsync("has not ended", () => Cluster.Fleet.Grains.Cluster.ResumeAsync(run.Name));
        await run.StopAsync();

        FollowedRun nowhere = await Cluster.Fleet.SubmitAsync("nowhere", Small with { Data = Small.Data with { DataDir = "/nowhere" } });
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
