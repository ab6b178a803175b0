using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests.Pages;

/// <summary>Silos send their spans to whoever collects them by OpenTelemetry's protocol.</summary>
public sealed partial class TraceTests() : ClusterTests(new(), isOwn: true)
{
    [Fact]
    public async Task Spans_of_steps_and_jobs_reach_the_collector()
    {
        int port = FreePorts.Find(1)[0];
        using var collector = new HttpListener();
        collector.Prefixes.Add($"http://127.0.0.1:{port}/");
        collector.Start();
        string[] awaited = ["step", "worker step", "compute", "exchange", "job", "part", "generation", "worker-1"];
        const int Steps = 5;
        Task<IReadOnlyList<string>> received = ReceiveAsync(collector, awaited, Steps);

        Cluster.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = $"http://127.0.0.1:{port}";
        Cluster.Environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf";
        Cluster.Environment["OTEL_BSP_SCHEDULE_DELAY"] = "200";
        await Cluster.HealAsync("worker-0", "worker-1");
        FollowedRun run = await Cluster.SubmitAsync("run", UndisturbedRun.Spec with
        {
            Limits = UndisturbedRun.Spec.Limits with { MaxSteps = Steps },
            Compute = UndisturbedRun.Spec.Compute with { Workers = 2 },
        });
        await run.EndAsync();
        ModelInfo model = await Cluster.Fleet.Grains.Models().FindAsync("run");
        await new FollowedJob(
            Cluster.Fleet.Grains.Job(Guid.NewGuid()),
            new SampleJob { Model = model, Count = 1, Batch = 1, Seed = 1 }).EndAsync();
        IReadOnlyList<string> traces = await received.WithinAsync(
            Deadline.Generous, $"{Steps} steps and spans with {string.Join(", ", awaited)}");
        // One of a whole run would be too much for anybody who looks at it.
        Assert.Distinct(traces);
    }

    /// <summary>
    /// Completes when all words and so many steps were in what came: protocol buffers hold names as they are, each behind its length.
    /// </summary>
    /// <returns>The traces of the steps.</returns>
    private static async Task<IReadOnlyList<string>> ReceiveAsync(HttpListener collector, IEnumerable<string> words, int steps)
    {
        HashSet<string> missing = [.. words];
        List<string> traces = [];
        while (missing.Count > 0 || traces.Count < steps)
        {
            HttpListenerContext call = await collector.GetContextAsync();
            using var body = new MemoryStream();
            await call.Request.InputStream.CopyToAsync(body);
            string text = Encoding.Latin1.GetString(body.ToArray());
            missing.RemoveWhere(word => text.Contains((char)word.Length + word, StringComparison.Ordinal));
            traces.AddRange(Step().Matches(text).Select(step => step.Groups["trace"].Value));
            call.Response.Close();
        }

        return traces;
    }

    /// <summary>A span's first fields: its trace, itself, its parent if it has one, its flags, its name.</summary>
    [GeneratedRegex(
        @"\n\x10(?<trace>.{16})\x12\x08.{8}(\x22\x08.{8})?(\x85\x01.{4})?\x2A\x04step",
        RegexOptions.Singleline | RegexOptions.ExplicitCapture)]
    private static partial Regex Step();
}
