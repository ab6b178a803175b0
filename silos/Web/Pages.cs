using OpenTelemetry.Metrics;
using PixelCnnCluster.Actors;

namespace PixelCnnCluster.Silo.Web;

/// <summary>What a silo shows to browsers and to machines that watch it. Nothing here changes anything.</summary>
internal static class Pages
{
    public static void AddTo(WebApplicationBuilder builder, SiloSettings settings)
    {
        PageGuard.AddTo(builder, settings);
        builder.Services.AddOpenTelemetry().WithMetrics(metrics => metrics.AddMeter(Meters.Name, "Microsoft.Orleans", "System.Runtime").AddPrometheusExporter());
    }

    public static void Map(WebApplication app, SiloSettings settings)
    {
        PageGuard.Use(app, settings);
        app.MapPrometheusScrapingEndpoint();
        // Alive is who answers; whether the cluster has the silo is another question, whose answer must not have it killed.
        app.MapHealthChecks("/health/live", new() { Predicate = _ => false });
        app.MapHealthChecks("/health/ready");
    }
}
