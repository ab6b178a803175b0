using System.Net;
using System.Text;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Tests;

/// <summary>Silos send their spans to whoever collects them by OpenTelemetry's protocol.</summary>
public sealed class TraceTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Spans_of_steps_and_jobs_reach_the_collector()
    {
        int port = FreePorts.Find(1)[0];
        using var collector = new HttpListener();
        collector.Prefixes.Add($"http://127.0.0.1:{port}/");
        collector.Start();
        string[] awaited = ["step", "worker step", "compute", "exchange", "job", "part", "generation", "worker-1"];
        Task received = ReceiveAsync(collector, awaited);

        Dictionary<string, string> environment = new()
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = $"http://127.0.0.1:{port}",
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_BSP_SCHEDULE_DELAY"] = "200",
        };
        await using FaultyCluster cluster = await FaultyCluster.StartAsync(environment, access: null, "worker-0", "worker-1");
        FollowedRun run = await cluster.SubmitAsync("run", UndisturbedRun.Spec with { MaxSteps = 5, Workers = 2 });
        await run.EndAsync();
        ModelCard model = await cluster.Fleet.Grains.Models().FindAsync("run");
        await new FollowedJob(cluster.Fleet.Grains.Job(Guid.NewGuid()), new DrawJob(model, 1, Batch: 1, Seed: 1, Class: null, 1, 1, Given: null)).EndAsync();
        await received.WithinAsync(Patience, $"spans with {string.Join(", ", awaited)}");
    }

    /// <summary>Completes when all words were in what came: protocol buffers hold names as they are, each behind its length.</summary>
    private static async Task ReceiveAsync(HttpListener collector, IEnumerable<string> words)
    {
        HashSet<string> missing = [.. words];
        while (missing.Count > 0)
        {
            HttpListenerContext call = await collector.GetContextAsync();
            using var body = new MemoryStream();
            await call.Request.InputStream.CopyToAsync(body);
            string text = Encoding.Latin1.GetString(body.ToArray());
            missing.RemoveWhere(word => text.Contains((char)word.Length + word, StringComparison.Ordinal));
            call.Response.Close();
        }
    }
}
