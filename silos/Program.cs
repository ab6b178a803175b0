using System.Net;
using Microsoft.Extensions.Logging.Console;
using OpenTelemetry.Metrics;
using Orleans.Configuration;
using PixelCnnCluster.Actors;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Silo;
using PixelCnnCluster.Training;
using StackExchange.Redis;

WebApplicationBuilder builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
SiloSettings settings;
try
{
    settings = builder.Configuration.GetSection("Silo").Get<SiloSettings>() ?? new();
}
catch (InvalidOperationException fault)
{
    Console.Error.WriteLine($"The silo's settings cannot be read: {fault.Message}");
    return 2;
}

if (settings.Validate() is [_, ..] mistakes)
{
    foreach (string mistake in mistakes)
        Console.Error.WriteLine(mistake);
    return 2;
}

builder.Logging.ClearProviders().AddSimpleConsole(format =>
{
    format.SingleLine = true;
    format.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
    format.UseUtcTimestamp = true;
    format.ColorBehavior = LoggerColorBehavior.Disabled;
});
// Standard output says nothing but "ready".
builder.Services.Configure<ConsoleLoggerOptions>(options => options.LogToStandardErrorThreshold = LogLevel.Trace);
builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(10));
builder.WebHost.ConfigureKestrel(options =>
{
    if (settings.HttpPort > 0)
        options.Listen(IPAddress.Loopback, settings.HttpPort);
});
if (settings.HttpPort > 0)
    builder.Services.AddOpenTelemetry().WithMetrics(metrics => metrics.AddMeter("Microsoft.Orleans").AddPrometheusExporter());
else
    builder.Services.AddSingleton<Microsoft.AspNetCore.Hosting.Server.IServer, NoServer>();
if (settings.StopWithInput)
    builder.Services.AddSingleton<IHostLifetime, InputLifetime>();

builder.Services.AddSingleton(_ => new DeviceThreads(settings.Threads));
builder.Services.AddSingleton<WorkerDevice>();
builder.Services.AddSingleton<ClusterWorkers>();
builder.Host.UseOrleans(silo => silo
    .Configure<ClusterOptions>(options => (options.ClusterId, options.ServiceId) = (settings.ClusterId, ClusterNames.ServiceId))
    .Configure<SiloOptions>(options => options.SiloName = settings.Name)
    .ConfigureEndpoints(IPAddress.Loopback, settings.Port, settings.GatewayPort)
    .UseRedisClustering(options => options.ConfigurationOptions = ConfigurationOptions.Parse(settings.Redis))
    .AddPlacementDirector<WorkerPlacement, WorkerPlacementDirector>());

WebApplication app = builder.Build();
if (settings.HttpPort > 0)
    app.MapPrometheusScrapingEndpoint();
app.Lifetime.ApplicationStarted.Register(() => Console.Out.WriteLine("ready"));
await app.RunAsync();
return 0;
