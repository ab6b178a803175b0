using Microsoft.Extensions.Primitives;
using OpenTelemetry.Metrics;
using Orleans.Dashboard;
using PixelCnnCluster.Actors.Telemetry;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Pictures;
using PixelCnnCluster.Silo.Settings;

namespace PixelCnnCluster.Silo.Web;

/// <summary>
/// The silo's page (the files of wwwroot), the data that it reads, Orleans' dashboard, and what is for machines: /metrics and /health. All
/// of it is to look at: nothing here changes anything.
/// </summary>
internal static class Pages
{
    /// <summary>Path of Orleans' dashboard.</summary>
    private const string Dashboard = "/orleans";

    /// <summary>Nothing is loaded from elsewhere, and no text of a run's can become a script.</summary>
    private const string Policy = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

    /// <summary>Orleans' dashboard has its styles and fonts in itself.</summary>
    private const string DashboardNeeds = "style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:";

    /// <summary>Training steps of one answer; of more, every so-many-th, for no screen shows them.</summary>
    private const int MostSteps = 2000;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    public static void AddTo(WebApplicationBuilder builder, SiloSettings settings)
    {
        PageGuard.AddTo(builder, settings);
        builder.Services.AddOpenTelemetry().WithMetrics(
            metrics => metrics.AddMeter(Meters.Name, "Microsoft.Orleans", "System.Runtime").AddPrometheusExporter());
    }

    public static void Map(WebApplication app, SiloSettings settings)
    {
        PageGuard.Use(app, settings);
        app.Use((context, next) =>
        {
            IHeaderDictionary headers = context.Response.Headers;
            headers.CacheControl = "no-cache";
            headers.XContentTypeOptions = "nosniff";
            headers.ContentSecurityPolicy = context.Request.Path.StartsWithSegments(Dashboard) ? $"{Policy}; {DashboardNeeds}" : Policy;
            return next();
        });
        app.MapPrometheusScrapingEndpoint();
        // A silo that answers is alive. Whether the cluster has it is another question, and its answer must not get the silo killed.
        app.MapHealthChecks("/health/live", new() { Predicate = _ => false });
        app.MapHealthChecks("/health/ready");
        app.UseFileServer();
        // It compresses its files as it is mapped: a third of a second that only those who look at it wait for.
        var dashboard = new Lazy<RequestDelegate>(() =>
        {
            var pages = new ApplicationBuilder(app.Services);
            pages.UseRouting().UseEndpoints(endpoints => endpoints.MapOrleansDashboard(Dashboard));
            return pages.Build();
        });
        app.Use((context, next) => context.Request.Path.StartsWithSegments(Dashboard) ? dashboard.Value(context) : next(context));

        RouteGroupBuilder data = app.MapGroup("/api").AddEndpointFilter(TellFaultAsync);
        data.MapGet("/cluster", ClusterAsync);
        data.MapGet("/events", EventsAsync);
        data.MapGet("/samples.png", SamplesAsync);
    }

    /// <summary>Who is in the cluster and what it does.</summary>
    private static async Task<IResult> ClusterAsync(IGrainFactory grains, ILocalSiloDetails silo, TimeProvider time)
    {
        IClusterGrain cluster = grains.GetGrain<IClusterGrain>(0);
        Task<IReadOnlyList<RunOverview>> runs = cluster.RunsAsync();
        IReadOnlyList<WorkerStatus> workers = await cluster.WorkersAsync().WaitAsync(Timeout, time);
        return Json(new ClusterPage(silo.ClusterId, silo.Name, time.GetUtcNow(), await runs.WaitAsync(Timeout, time), workers));
    }

    /// <summary>Events of a run from a position on; waits up to a second for the first of them.</summary>
    private static async Task<IResult> EventsAsync(string run, long from, IGrainFactory grains, TimeProvider time)
    {
        RunProgress progress = await grains.GetGrain<ITrainingRunGrain>(run).ReadAsync(from).WaitAsync(Timeout, time);
        return Json(new EventsPage(Thin(progress.Events), $"{progress.Next}", progress.Over));
    }

    /// <summary>The images that a run sampled last.</summary>
    private static async Task<IResult> SamplesAsync(string run, IGrainFactory grains, TimeProvider time)
    {
        SamplesWritten samples = await grains.GetGrain<ITrainingRunGrain>(run).SamplesAsync().WaitAsync(Timeout, time)
            ?? throw new UserErrorException($"Run {run} has sampled no images yet.");
        return Results.Bytes(PictureGrid.Png(samples.Images()), "image/png");
    }

    /// <summary>
    /// What went wrong, as a sentence: of a request that asks for what there is not, or of a cluster that does not answer now.
    /// </summary>
    private static async ValueTask<object?> TellFaultAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        if (context.HttpContext.Request.Query.TryGetValue("run", out StringValues run) && string.IsNullOrWhiteSpace(run))
            return Results.Text("Name a run: ?run=...", statusCode: StatusCodes.Status400BadRequest);
        try
        {
            return await next(context);
        }
        catch (UserErrorException fault)
        {
            return Results.Text(fault.Message, statusCode: StatusCodes.Status404NotFound);
        }
        catch (Exception fault)
        {
            return Results.Text($"The cluster does not answer: {fault.Message}", statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    }

    private static IEnumerable<RunEvent> Thin(IReadOnlyList<RunEvent> events)
    {
        int left = events.Count(happened => happened is StepCommitted), every = (left / MostSteps) + 1;
        return events.Where(happened => happened is not StepCommitted || --left % every == 0);
    }

    private static IResult Json<T>(T page) => Results.Json(page, ContractsJson.Options);

    /// <param name="Now">By the clock that the runs' times are from.</param>
    private sealed record ClusterPage(
        string ClusterId, string Silo, DateTimeOffset Now, IReadOnlyList<RunOverview> Runs, IReadOnlyList<WorkerStatus> Workers);

    /// <param name="Next">A text, for JavaScript's numbers are not that exact.</param>
    private sealed record EventsPage(IEnumerable<RunEvent> Events, string Next, bool Over);
}
