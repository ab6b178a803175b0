using System.Globalization;
using System.Net;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests.Pages;

/// <summary>Real silos tell Prometheus what their runs and samplers do.</summary>
public sealed class MetricsTests() : ClusterTests(new() { HasPages = true }, isOwn: true)
{
    private static readonly string[] Two = ["worker-0", "worker-1"];

    [Fact]
    public async Task A_run_a_loss_and_a_job_are_seen_in_the_figures()
    {
        await Cluster.HealAsync(Two);
        foreach (string silo in Two)
        {
            Assert.Equal(HttpStatusCode.OK, (await Cluster.Fleet.GetAsync(silo, "/health/live")).StatusCode);
            Assert.Equal(HttpStatusCode.OK, (await Cluster.Fleet.GetAsync(silo, "/health/ready")).StatusCode);
        }

        FollowedRun run = await Cluster.SubmitAsync(UndisturbedRun.Endless with
        {
            Output = UndisturbedRun.Endless.Output with { SaveInterval = 1 },
            Compute = UndisturbedRun.Endless.Compute with { Workers = 2 },
        });
        await run.NextAsync<GenerationOpened>(opened => opened.Workers.Count == 2, "both workers");
        await run.NextAsync<CheckpointSaved>(_ => true, "a checkpoint");
        await run.NextAsync<Evaluated>(_ => true, "a test score");
        await run.NextAsync<StepCommitted>(_ => true, "a step after it");
        Assert.Contains(
            File.ReadLines(Cluster.Fleet.Silo(Cluster.Fleet.CoordinatorOf(run)).LogPath),
            line => line.Contains($"Run {run.Name}, generation ", StringComparison.Ordinal)
                && line.Contains(": 1 epochs, ", StringComparison.Ordinal));
        Figures figures = await ScrapeAsync(Two);

        double steps = figures.Sum("pixelcnn_run_steps_total", $"run=\"{run.Name}\"");
        Assert.InRange(steps, 1, 100_000);
        // The run goes on: a step may be committed between one figure's reading and the next's.
        Assert.InRange(figures.Sum("pixelcnn_run_images_total") / run.Spec.Optimiser.ImagesPerStep, steps - 1, steps + 1);
        Assert.InRange(figures.Sum("pixelcnn_run_step_duration_seconds_count"), steps - 1, steps + 1);
        Assert.Equal(0, figures.Sum("pixelcnn_run_steps_skipped_total"));
        Assert.Equal(1, figures.Sum("pixelcnn_run_generations_total", "cause=\"Begun\""));
        Assert.Equal((2, 2), (figures.Sum("pixelcnn_run_workers"), figures.Sum("pixelcnn_run_workers_wanted")));
        Assert.Equal(
            new FileInfo(run.Events.OfType<CheckpointSaved>().Last().Path).Length, figures.Sum("pixelcnn_run_checkpoint_size_bytes"));
        Assert.InRange(DateTimeOffset.UtcNow.ToUnixTimeSeconds() - figures.Sum("pixelcnn_run_checkpoint_time_seconds"), -5, 300);
        string[] positive =
        [
            "pixelcnn_run_bits_per_dim", "pixelcnn_run_test_bits_per_dim", "pixelcnn_run_gradient_norm", "pixelcnn_run_learning_rate",
            "pixelcnn_run_epoch",
            "pixelcnn_run_regroup_duration_seconds_count", "pixelcnn_run_scoring_duration_seconds_count",
            "pixelcnn_worker_exchanged_bytes_total", "pixelcnn_worker_checkpoint_duration_seconds_count",
            "pixelcnn_worker_load_duration_seconds_count",
            "dotnet_process_memory_working_set_bytes", "dotnet_gc_heap_total_allocated_bytes_total",
        ];
        Assert.All(positive, name => Assert.True(figures.Sum(name) > 0, $"{name} is above 0"));
        Assert.All(
            ["Wait", "Apply", "Compute", "Reduce", "Gather"],
            phase => Assert.Equal(2, figures.Count("pixelcnn_worker_step_duration_seconds_count", $"phase=\"{phase}\"")));

        // The silo with the coordinator stays: its figures go on.
        string victim = Two.First(name => name != Cluster.Fleet.CoordinatorOf(run));
        Cluster.Fleet.Kill(victim);
        await run.NextAsync<GenerationOpened>(opened => opened.Workers.Count == 1, "a generation without the killed worker");
        string[] survivor = [.. Two.Except([victim])];
        figures = await ScrapeAsync(survivor);
        // A starved machine may have lost a worker before.
        Assert.InRange(figures.Sum("pixelcnn_run_generations_total", "cause=\"WorkerLost\""), 1, 10);
        Assert.Equal(1, figures.Sum("pixelcnn_run_workers"));

        ModelInfo model = await Deadline.AnswerAsync(() => Cluster.Fleet.Grains.Models().FindAsync(run.Name), "the run's checkpoint");
        await new FollowedJob(
            Cluster.Fleet.Grains.Job(Guid.NewGuid()),
            new SampleJob { Model = model, Count = 5, Batch = 2, Seed = 1 }).PixelsAsync();
        await run.StopAsync();
        figures = await ScrapeAsync(survivor);
        Assert.Equal((5, 0), (figures.Sum("pixelcnn_sampler_drawn_total"), figures.Sum("pixelcnn_sampler_parts")));
        Assert.Equal((1, 0), (figures.Count("pixelcnn_job_queue"), figures.Sum("pixelcnn_job_queue")));
        // A run's figures go when its coordinator has let go of it, just after its last event; the list of runs is looked after every other
        // second.
        await PrometheusServer.UntilAsync(async () =>
        {
            Figures last = await ScrapeAsync(survivor);
            return last.Sum("pixelcnn_cluster_workers_spare") != 1 ? "the worker that is free again"
                : last.Count("pixelcnn_run_bits_per_dim") > 0 || last.Count("pixelcnn_run_workers") > 0
                    ? "nothing more of the run that has ended"
                : null;
        });
    }

    private async Task<Figures> ScrapeAsync(IEnumerable<string> silos)
    {
        List<string> lines = [];
        foreach (string silo in silos)
            lines.AddRange((await (await Cluster.Fleet.GetAsync(silo, "/metrics")).Content.ReadAsStringAsync()).Split('\n'));
        return new(lines);
    }

    /// <summary>Samples in Prometheus' text form: name{labels} value [time].</summary>
    private sealed record Figures(IReadOnlyList<string> Lines)
    {
        public int Count(string name, string label = "") => Of(name, label).Count();

        public double Sum(string name, string label = "") => Of(name, label).Sum();

        private IEnumerable<double> Of(string name, string label) => Lines
            .Where(line => line.Split('{', ' ')[0] == name && line.Contains(label, StringComparison.Ordinal))
            .Select(line => double.Parse(
                line[(line.IndexOf('}', StringComparison.Ordinal) + 1)..].Replace(name, "", StringComparison.Ordinal).Trim().Split(' ')[0],
                CultureInfo.InvariantCulture));
    }
}
