using System.Text.Json;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Contracts;
using Spectre.Console;

namespace PixelCnnCluster.Console.Tests.Display;

public sealed class ClusterListingTests : IDisposable
{
    private readonly StringWriter _output = new();

    public void Dispose() => _output.Dispose();

    private IEnumerable<string> Lines =>
        _output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.TrimEnd());

    private ClusterListing Listing(bool json = false)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(_output) });
        console.Profile.Width = 200;
        return new(
            console, json, new Prompt("console", new ClusterAddress("redis:6379")), new DateTimeOffset(2026, 1, 2, 4, 5, 0, TimeSpan.Zero));
    }

    private static PretendedRun Run() => new()
    {
        Overview = Events.Overview(),
        Answers = [() => [Events.Started(), Events.Generation(1), Events.Step(119)],
            () => [Events.Generation(2, 119, "worker-1 was lost"), Events.Step(120)]],
    };

    [Fact]
    public void Runs_are_a_table()
    {
        Listing().Runs(
            [Events.Overview(),
                Events.Overview(RunState.Queued) with { Run = "next", TotalSteps = null, BitsPerDim = null, Step = 0, Workers = [] }]);

        Assert.Equal(
            [
                "run    state     step          bits/dim  test bits/dim  workers  age        data set",
                "a-run  training  120 of 1,000  3.210     –              2 of 3   1 h 5 min  fashion-mnist",
                "next   queued    0             –         –              0 of 3   1 h 5 min  fashion-mnist",
            ],
            Lines);
    }

    [Fact]
    public void Workers_are_a_table()
    {
        Listing().Workers(
            [new("worker-0", "cpu, 2 threads", "a-run", 3, 1200, WorkerPhase.Computing),
                new("worker-1", "cuda:0", null, 0, 0, WorkerPhase.Idle)]);

        Assert.Equal(
            [
                "worker    device          phase      run    generation  step",
                "worker-0  cpu, 2 threads  computing  a-run  3           1,200",
                "worker-1  cuda:0          idle       –      –           –",
            ],
            Lines);
    }

    [Fact]
    public void Where_there_is_nothing_a_sentence_says_so()
    {
        Listing().Runs([]);
        Listing().Workers([]);

        Assert.Equal(["There is no run yet. Submit one: console train --cluster redis:6379", "No worker is there."], Lines);
    }

    [Fact]
    public void Programs_get_one_object_a_line()
    {
        Listing(json: true).Runs([Events.Overview(), Events.Overview()]);
        Listing(json: true).Workers([new("worker-0", "cpu", null, 0, 0, WorkerPhase.Unreachable)]);

        Assert.Equal(
            [
                """{"run":"a-run","state":"training","data_set":"fashion_mnist","save_dir":"/runs/a-run","submitted":"2026-01-02T03:00:00+00:00","step":120,"total_steps":1000,"bits_per_dim":3.21,"workers":["worker-0","worker-2"],"workers_wanted":3,"generation":2,"unfit":[]}""",
                """{"worker":"worker-0","device":"cpu","generation":0,"step":0,"phase":"unreachable","busy_seconds":0}""",
            ],
            Lines.Skip(1));
    }

    [Fact]
    public async Task One_run_is_its_facts_and_what_happened_to_it()
    {
        PretendedRun run = Run();

        await Listing().ShowAsync(run);

        Assert.Equal(
            [
                "a-run",
                "  state           training",
                "  settings        digits, 1 x 16 filters, 5 logistics, 4 shards of 8 images, learning rate 0.004",
                "  step            120 of 1,000",
                "  bits/dim        3.210",
                "  workers         2 of 3: worker-0, worker-2",
                "  age             1 h 5 min",
                "  folder          /runs/a-run",
                EventText.Started(Events.Started()),
                "generation 1: 2 of 3 workers (the run begins), 1.4 s",
                "generation 2: 2 of 3 workers (worker-1 was lost), 1.4 s",
            ],
            Lines);
        // Not further: a run that trains has always more to tell.
        Assert.Equal([0, 3], run.AskedFrom);
    }

    [Fact]
    public async Task One_run_is_its_overview_and_events_for_programs()
    {
        await Listing(json: true).ShowAsync(Run());

        var lines = Lines.Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal("training", lines[0].GetProperty("state").GetString());
        Assert.Equal(["started", "generation", "generation"], lines.Skip(1).Select(line => line.GetProperty("event").GetString()!));
    }

    [Fact]
    public async Task A_failed_run_says_why()
    {
        PretendedRun run = Run();
        run.Overview = Events.Overview(RunState.Failed) with { Error = "the disk is full" };

        await Listing().ShowAsync(run);

        Assert.Contains("  state           failed: the disk is full", Lines);
    }

    /// <summary>Programs that read the listing know these names.</summary>
    [Fact]
    public void Phases_keep_their_names_in_JSON() => Assert.Equal(
        """["idle","loading","waiting","computing","exchanging","scoring","drawing","unreachable"]""",
        JsonSerializer.Serialize(Enum.GetValues<WorkerPhase>(), ContractsJson.Options));
}
