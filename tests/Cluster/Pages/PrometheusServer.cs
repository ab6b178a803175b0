using System.Diagnostics;
using System.Text.Json;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests.Pages;

/// <summary>A real Prometheus that scrapes silos every second and evaluates the project's rules.</summary>
public sealed class PrometheusServer : IAsyncDisposable
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(200);

    private readonly HttpClient _http;
    private readonly Process _process;

    private PrometheusServer(HttpClient http, Process process) => (_http, _process) = (http, process);

    /// <param name="rules">Path of a file with groups of rules.</param>
    /// <param name="targets">host:port of silos.</param>
    public static async Task<PrometheusServer> StartAsync(string below, string rules, IEnumerable<string> targets)
    {
        string folder = Directory.CreateDirectory(Path.Combine(below, "prometheus")).FullName,
            config = Path.Combine(folder, "prometheus.yaml");
        await File.WriteAllTextAsync(config, $$"""
            global: {scrape_interval: 1s, evaluation_interval: 1s}
            rule_files: ['{{rules}}']
            scrape_configs:
              - job_name: pixelcnn
                static_configs: [{targets: [{{string.Join(", ", targets.Select(target => $"'{target}'"))}}]}]
            """);
        int port = FreePorts.Find(1)[0];
        Process process = Process.Start(new ProcessStartInfo(
            "prometheus",
            [$"--config.file={config}", $"--storage.tsdb.path={folder}", $"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]))!;
        var server = new PrometheusServer(new() { BaseAddress = new($"http://127.0.0.1:{port}") }, process);
        await UntilAsync(
            async () => (await server._http.GetAsync(new Uri("/-/ready", UriKind.Relative))).IsSuccessStatusCode ? null : "not ready");
        return server;
    }

    /// <summary>Asks again until there is nothing left to complain of.</summary>
    /// <param name="complain">What is still missing; null when all is there.</param>
    public static async Task UntilAsync(Func<Task<string?>> complain)
    {
        using var deadline = new CancellationTokenSource(Deadline.Generous);
        for (string? missing = "an answer"; ; await Task.Delay(Poll))
        {
            try
            {
                if ((missing = await complain()) is null)
                    return;
            }
            catch (HttpRequestException fault)
            {
                missing = fault.Message;
            }

            if (deadline.IsCancellationRequested)
                throw new TimeoutException($"Within {Deadline.Generous.TotalSeconds} s Prometheus did not come to have: {missing}");
        }
    }

    /// <summary>How many series the query gives now whose value is a number.</summary>
    public async Task<int> CountAsync(string query) => (await GetAsync($"query?query={Uri.EscapeDataString(query)}"))
        .GetProperty("result").EnumerateArray().Count(
            series => series.GetProperty("value")[1].GetString() is not ("NaN" or "+Inf" or "-Inf"));

    /// <summary>Name and state of each alert that is pending or firing.</summary>
    public async Task<IReadOnlyList<(string Name, string State)>> AlertsAsync() =>
    [
        .. (await GetAsync("alerts")).GetProperty("alerts").EnumerateArray()
            .Select(alert => (alert.GetProperty("labels").GetProperty("alertname").GetString()!, alert.GetProperty("state").GetString()!)),
    ];

    /// <summary>The rules as Prometheus has read them: name, expression, and what is wrong with the last evaluation.</summary>
    public async Task<IReadOnlyList<(string Name, bool IsAlert, string Query, string Health)>> RulesAsync() =>
    [
        .. (await GetAsync("rules")).GetProperty("groups").EnumerateArray().SelectMany(group => group.GetProperty("rules").EnumerateArray())
            .Select(rule =>
                (rule.GetProperty("name").GetString()!, rule.GetProperty("type").GetString() == "alerting",
                    rule.GetProperty("query").GetString()!, rule.GetProperty("health").GetString()!)),
    ];

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _http.Dispose();
    }

    private async Task<JsonElement> GetAsync(string call)
    {
        using HttpResponseMessage response = await _http.GetAsync(new Uri($"/api/v1/{call}", UriKind.Relative));
        string text = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode ? JsonDocument.Parse(text).RootElement.GetProperty("data")
            : throw new InvalidOperationException($"{call}: {text}");
    }
}
