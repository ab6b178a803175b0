using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests.Pages;

/// <summary>The dashboards and rules of k8s/monitoring, tried on a real Prometheus that scrapes real silos.</summary>
public sealed partial class MonitoringTests() : ClusterTests(new() { HasPages = true }, isOwn: true)
{
    private static readonly string Monitoring = Path.Combine(Repository.Root, "k8s", "monitoring");

    private static readonly string[] Two = ["worker-0", "worker-1"];

    [Fact]
    public async Task Every_alert_fires_when_its_fault_is_made_and_not_otherwise()
    {
        string folder = Directory.CreateTempSubdirectory("pixelcnn-rules-").FullName;
        try
        {
            await ToolAsync("check", "rules", WriteRules(folder));
            string test = Path.Combine(folder, "rules.test.yaml");
            File.Copy(Path.Combine(Monitoring, "rules.test.yaml"), test);
            await ToolAsync("test", "rules", test);
            string tests = await File.ReadAllTextAsync(test, TestContext.Current.CancellationToken);
            Assert.All(
                AlertName().Matches(
                    await File.ReadAllTextAsync(Path.Combine(folder, "rules.plain.yaml"), TestContext.Current.CancellationToken))
                        .Select(match => match.Groups["name"].Value),
                alert => Assert.Matches($"alertname: {alert}\n +exp_alerts:", tests));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Every_query_of_the_dashboards_and_rules_finds_data_and_a_killed_silo_is_told()
    {
        await Cluster.HealAsync(Two);
        FollowedRun run = await Cluster.SubmitAsync("run", UndisturbedRun.Endless with
        {
            Output = UndisturbedRun.Endless.Output with { SaveInterval = 1 },
            Compute = UndisturbedRun.Endless.Compute with { Workers = 3 },
        });
        await run.NextAsync<CheckpointSaved>(_ => true, "a checkpoint");
        await run.NextAsync<Evaluated>(_ => true, "a test score");
        await run.NextAsync<StepCommitted>(_ => true, "a step after it");
        await using PrometheusServer prometheus = await PrometheusServer.StartAsync(
            Cluster.Folder, WriteRules(Cluster.Folder), Two.Select(Cluster.Fleet.HttpOf));
        await PrometheusServer.UntilAsync(async () => await prometheus.CountAsync("pixelcnn_run_workers") > 0 ? null : "the run's workers");
        await Cluster.Fleet.StartAsync("worker-2");
        await run.NextAsync<GenerationOpened>(opened => opened.Workers.Count == 3, "a generation of three workers");
        ModelInfo model = await Cluster.Fleet.Grains.Models().FindAsync("run");

        string[] panels = [.. Directory.GetFiles(Path.Combine(Monitoring, "dashboards"), "*.json").SelectMany(Queries)];
        Assert.InRange(panels.Length, 30, 1000);
        IReadOnlyList<(string Name, bool IsAlert, string Query, string Health)> rules = await prometheus.RulesAsync();
        // An alert is about figures that must be there for it to tell anything; its own query gives nothing as long as all is well.
        string[] figures = [.. rules.Where(rule => rule.IsAlert).SelectMany(
            rule => FigureName().Matches(rule.Query).Select(match => match.Value))];
        List<string> left = [.. panels, .. rules.Where(rule => !rule.IsAlert).Select(rule => rule.Name), .. figures.Distinct()];
        await PrometheusServer.UntilAsync(async () =>
        {
            await new FollowedJob(
                Cluster.Fleet.Grains.Job(Guid.NewGuid()),
                new SampleJob { Model = model, Count = 2, Batch = 1, Seed = 1 }).EndAsync();
            await new FollowedJob(
                Cluster.Fleet.Grains.Job(Guid.NewGuid()),
                new ScoreJob { Model = model, Count = 2, Batch = 1, Images = new byte[2 * model.ImageBytes] }).EndAsync();
            foreach (string query in left.ToList())
            {
                if (await prometheus.CountAsync(query) > 0)
                    left.Remove(query);
            }

            return left.Count == 0 ? null : $"data for {string.Join("\n", left)}";
        });
        Assert.All(await prometheus.RulesAsync(), rule => Assert.Equal((rule.Name, "ok"), (rule.Name, rule.Health)));
        Assert.DoesNotContain(await prometheus.AlertsAsync(), alert => alert.State == "firing");

        Cluster.Fleet.Kill(Two.First(name => name != Cluster.Fleet.CoordinatorOf(run)));
        await PrometheusServer.UntilAsync(async () =>
        {
            string[] told = [.. (await prometheus.AlertsAsync()).Select(alert => alert.Name)];
            return told.Contains("PixelCnnSiloDown") && told.Contains("PixelCnnRunShortOfWorkers") ? null
                : $"alerts of a killed silo and of a run that lacks a worker; told were {string.Join(", ", told)}";
        });
    }

    /// <summary>Queries as Grafana would send them.</summary>
    private static IEnumerable<string> Queries(string dashboard)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(dashboard));
        return
        [
            .. document.RootElement.GetProperty("panels").EnumerateArray().SelectMany(
                panel => panel.GetProperty("targets").EnumerateArray())
                .Select(target => target.GetProperty("expr").GetString()!
                    .Replace("$run", ".*", StringComparison.Ordinal)
                    .Replace("$__rate_interval", "10s", StringComparison.Ordinal)
                    .Replace("$__range", "2m", StringComparison.Ordinal)),
        ];
    }

    /// <summary>The groups of the Kubernetes object, as Prometheus itself takes them.</summary>
    private static string WriteRules(string folder)
    {
        string path = Path.Combine(folder, "rules.plain.yaml");
        File.WriteAllLines(
            path, File.ReadLines(Path.Combine(Monitoring, "rules.yaml")).SkipWhile(line => line != "spec:").Skip(1)
                .Select(line => line[2..]));
        return path;
    }

    private static async Task ToolAsync(params string[] arguments)
    {
        using Process tool = Process.Start(
            new ProcessStartInfo("promtool", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> error = tool.StandardError.ReadToEndAsync();
        string output = await tool.StandardOutput.ReadToEndAsync();
        await tool.WaitForExitAsync();
        Assert.True(tool.ExitCode == 0, $"promtool {string.Join(' ', arguments)}: {output}{await error}");
    }

    [GeneratedRegex("- alert: (?<name>.+)")]
    private static partial Regex AlertName();

    [GeneratedRegex(@"\b(pixelcnn_\w+|dotnet_\w+|up)\b")]
    private static partial Regex FigureName();
}
