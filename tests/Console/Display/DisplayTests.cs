using System.Text.Json;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Client.Downloads;
using PixelCnnCluster.Contracts;
using Spectre.Console;

namespace PixelCnnCluster.Console.Tests.Display;

public sealed class DisplayTests : IDisposable
{
    private readonly ManualTime _time = new();
    private readonly StringWriter _output = new();
    private readonly RunStatus _status;
    private readonly RunSummary _summary = new(new Prompt("console", Cluster: null), "/runs/a-run/logs", "/runs");

    public DisplayTests() => _status = new RunStatus(_time);

    public void Dispose() => _output.Dispose();

    private string[] Lines => _output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private void Show(IRunDisplay display, params RunEvent[] events)
    {
        foreach (RunEvent e in events)
        {
            _status.Add(e);
            display.Show(e);
        }
    }

    [Fact]
    public void Plain_lines_come_every_ten_seconds_and_with_each_epoch()
    {
        using var display = new PlainDisplay(_output, _status, _summary, _time);
        Show(display, Events.Started());
        for (int step = 1; step <= 124; step++)
        {
            Show(display, Events.Step(step));
            _time.Pass(TimeSpan.FromSeconds(0.2));
        }

        Show(display, Events.Step(125));

        Assert.Equal(
            ["step 1/1,000", "step 51/1,000", "step 101/1,000", "step 125/1,000"], Lines.Skip(1).Select(line => line.Split("  ")[0]));
        Assert.Equal("step 125/1,000  epoch 1.00  bits/dim 3.000  64 images/s  7 min 17 s left", Lines[^1]);
    }

    [Fact]
    public void Plain_lines_tell_each_evaluation_checkpoint_picture_and_fault()
    {
        using var display = new PlainDisplay(_output, _status, _summary, _time);
        Show(display, Events.Started(), new Evaluated(125, 1, 3.21, 0, 1000, 1.5), new Evaluated(125, 1, null, 7.5, 1000, 1.5),
            new CheckpointSaved(125, "/runs/a-run/step.safetensors", 5_200_000, "ab"),
            new SamplesWritten(125, "/runs/a-run/p.png", 1, 1, 1, [0]),
            new FaultNoticed(130, "worker-1", "it is gone"), new FaultNoticed(131, null, "no quorum"),
            Events.Generation(1), Events.Generation(3, 130, "worker-1 was lost", redone: 1),
            Events.Generation(4, 130, "all workers were lost", redone: 30),
            new WorkersAwaited(130), Events.Ended(RunOutcome.Stopped), Events.Ended(RunOutcome.Failed, "the disk is full"));

        Assert.Equal(
            [
                "a-run: digits, 1 x 16 filters, 5 logistics, 4 shards of 8 images, learning rate 0.004; 12,345 parameters, 4,000 " +
                "training and 1,000 test images of 28x28, steps 0 to 1,000",
                "test after step 125, epoch 1.00: 3.210 bits/dim on 1,000 images (1.5 s)",
                "test after step 125, epoch 1.00: energy distance 7.500 on 1,000 images (1.5 s)",
                "checkpoint /runs/a-run/step.safetensors (5.2 MB)",
                "samples /runs/a-run/p.png",
                "fault at step 130 on worker-1: it is gone",
                "fault at step 131: no quorum",
                "generation 1: 2 of 3 workers (the run begins), 1.4 s",
                "generation 3: 2 of 3 workers (worker-1 was lost), 1 step redone, 1.4 s",
                "generation 4: 2 of 3 workers (all workers were lost), 30 steps redone, 1.4 s",
                "waiting for a worker after step 130",
                "stopped after step 1,000",
                "failed after step 1,000: the disk is full",
            ],
            Lines);
    }

    [Fact]
    public async Task Plain_downloads_are_a_line_for_each_file_and_every_ten_seconds()
    {
        using var display = new PlainDisplay(_output, _status, _summary, _time);
        await display.ShowDownloadsAsync(progress =>
        {
            progress.Report(new DownloadProgress("a.gz", 0, 9_000_000));
            progress.Report(new DownloadProgress("a.gz", 1_000_000, 9_000_000));
            _time.Pass(TimeSpan.FromSeconds(10));
            progress.Report(new DownloadProgress("a.gz", 2_000_000, 9_000_000));
            progress.Report(new DownloadProgress("b.gz", 0, null));
            return Task.CompletedTask;
        });

        Assert.Equal(["downloading a.gz: 0.0 of 9.0 MB", "downloading a.gz: 2.0 of 9.0 MB", "downloading b.gz: 0.0 MB"], Lines);
    }

    [Fact]
    public void Json_is_one_event_a_line_and_nothing_else()
    {
        using var display = new JsonLinesDisplay(_output);
        display.Note("for people");
        RunEvent[] events = [Events.Started(), Events.Step(1), new SamplesWritten(1, "p.png", 1, 1, 1, [7]), Events.Ended()];
        Show(display, events);

        Assert.Equal(
            ["started", "step", "samples", "ended"],
            Lines.Select(line => JsonDocument.Parse(line).RootElement.GetProperty("event").GetString()!));
        Assert.Equal(events[1], JsonSerializer.Deserialize<RunEvent>(Lines[1], ContractsJson.Options));
        Assert.DoesNotContain("pixels", Lines[2], StringComparison.Ordinal);
        Assert.Equal(
            """{"event":"ended","outcome":"completed","step":1000,"state_hash":"0123abcd","test_bits_per_dim":2.345,"images_per_s":63.7,"checkpoint":"/runs/a-run/step-000001000.safetensors","samples":"/runs/a-run/samples.png","user_error":false,"steps_redone":0}""",
            Lines[3]);
    }

    [Fact]
    public void A_failed_run_has_an_error_line_before_its_end()
    {
        using var display = new JsonLinesDisplay(_output);
        Show(display, Events.Ended(RunOutcome.Failed, "the disk is full"));

        Assert.Equal("""{"event":"error","message":"the disk is full"}""", Lines[0]);
        Assert.StartsWith("""{"event":"ended","outcome":"failed",""", Lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public void The_summary_tells_where_things_lie_and_what_to_try()
    {
        Show(new JsonLinesDisplay(TextWriter.Null), Events.Started(), Events.Step(1000), Events.Ended());

        Assert.Equal(
            [
                "",
                "Finished after step 1,000.",
                "  test bits/dim   2.345",
                "  speed           64 images/s",
                "  checkpoint      /runs/a-run/step-000001000.safetensors",
                "  samples         /runs/a-run/samples.png",
                "  logs            /runs/a-run/logs",
                "",
                "  continue        console train --load-params a-run --max-epochs 4",
                "  a bigger model  console train --preset quick --nr-filters 32 --nr-resnet 2 --max-epochs 20 --max-minutes 30",
                "  by class        console train --preset quick --class-conditional",
                "  real MNIST      console train --preset quick --data-set mnist --max-minutes 30",
            ],
            _summary.Lines(_status));
    }

    [Theory]
    [InlineData(null, 400, "--load-params a-run")]
    [InlineData(1000L, 1000, "--load-params a-run --max-steps 2000")]
    [InlineData(5000L, 1000, "--load-params a-run --max-epochs 4")]
    public void A_run_that_used_up_its_steps_is_continued_with_more(long? maxSteps, long step, string flags)
    {
        RunEvent started = Events.Started(Presets.Quick with { Limits = Presets.Quick.Limits with { MaxSteps = maxSteps } });
        Show(new JsonLinesDisplay(TextWriter.Null), started, Events.Step(step), Events.Ended());

        Assert.Contains($"  continue        console train {flags}", _summary.Lines(_status));
    }

    [Theory]
    [InlineData(RunOutcome.Stopped, "  continue        console resume a-run --cluster redis:6379/blue")]
    [InlineData(RunOutcome.Completed, "")]
    public void A_run_on_a_shared_cluster_has_no_logs_here_and_is_continued_there(RunOutcome outcome, string last)
    {
        Show(new JsonLinesDisplay(TextWriter.Null), Events.Started(), Events.Step(1000), Events.Ended(outcome));

        var lines = new RunSummary(new Prompt("console", new ClusterAddress("redis:6379", "blue")), logDir: null, "/runs").Lines(_status)
            .ToList();

        Assert.Equal(last, lines[^1]);
        Assert.DoesNotContain(lines, line => line.Contains("logs", StringComparison.Ordinal));
    }

    [Fact]
    public void Only_the_end_is_shown_to_those_who_wait_for_it()
    {
        using var display = new EndDisplay(new PlainDisplay(_output, _status, _summary, _time));
        Show(display, Events.Started(), Events.Step(1), Events.Ended());

        display.End(Events.Ended());

        Assert.Equal("Finished after step 1,000.", Lines[0]);
    }

    [Fact]
    public void A_failed_run_has_no_summary()
    {
        Show(new JsonLinesDisplay(TextWriter.Null), Events.Started(), Events.Ended(RunOutcome.Failed, "no"));

        Assert.Empty(_summary.Lines(_status));
    }

    [Fact]
    public void The_terminal_shows_a_panel_pictures_and_commands_that_can_be_pasted()
    {
        IAnsiConsole console = AnsiConsole.Create(
            new AnsiConsoleSettings
            {
                Ansi = AnsiSupport.Yes,
                Interactive = InteractionSupport.Yes,
                ColorSystem = ColorSystemSupport.TrueColor,
                Out = new AnsiConsoleOutput(_output)
            });
        console.Profile.Width = 60;
        console.Profile.Height = 30;
        using var display = new TerminalDisplay(console, _status, _summary);
        Show(display, Events.Started(), Events.Step(500), new SamplesWritten(500, "p.png", 1, 1, 2, [1, 2, 3, 4]));
        Show(
            display, new WorkersAwaited(500), Events.Generation(3, 500, "worker-1 was lost"),
            new FaultNoticed(500, "worker-1", "it is gone"));
        _status.Add(Events.Ended());
        display.End(Events.Ended());

        string text = _output.ToString();
        Assert.Contains("waiting for one", text, StringComparison.Ordinal);
        Assert.Contains("2 of 3, generation 3", text, StringComparison.Ordinal);
        Assert.Contains("generation 3: 2 of 3 workers (worker-1 was lost), 1.4 s", text, StringComparison.Ordinal);
        Assert.Contains("fault at step 500 on worker-1: it is gone", text, StringComparison.Ordinal);
        Assert.Contains("500 of 1,000", text, StringComparison.Ordinal);
        Assert.Contains("50 %", text, StringComparison.Ordinal);
        Assert.Contains("▀", text, StringComparison.Ordinal);
        Assert.Contains(
            "console train --preset quick --nr-filters 32 --nr-resnet 2 --max-epochs 20 --max-minutes 30\n", text,
            StringComparison.Ordinal);
        Assert.EndsWith("\e[?25h", text[..text.IndexOf("\nFinished", StringComparison.Ordinal)].TrimEnd(), StringComparison.Ordinal);
    }
}
