using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.Extensions.Logging.Console;
using OpenTelemetry.Metrics;
using Orleans.Configuration;
using Orleans.Dashboard;
using Orleans.Serialization;
using Orleans.Storage;
using PixelCnnCluster.Actors;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Silo;
using PixelCnnCluster.Silo.Web;
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

ConfigurationOptions redis;
try
{
    redis = ConfigurationOptions.Parse(settings.Redis);
    await using ConnectionMultiplexer store = await ConnectionMultiplexer.ConnectAsync(redis);
    await store.GetDatabase().StringSetAsync(ClusterNames.VersionKey(settings.ClusterId), ClusterNames.Version);
}
catch (Exception fault) when (fault is RedisException or TimeoutException or ArgumentException)
{
    Console.Error.WriteLine($"No Redis can be used at {settings.Redis} ({fault.Message.Split('\n')[0]}); start one there, or name another with Silo:Redis.");
    return 2;
}

// From here on the store may come and go.
redis.AbortOnConnectFail = false;

builder.Logging.ClearProviders().AddSimpleConsole(format =>
{
    format.SingleLine = true;
    format.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
    format.UseUtcTimestamp = true;
    format.ColorBehavior = LoggerColorBehavior.Disabled;
});
// Placement's own tries; what comes of them is told by who asked.
builder.Logging.AddFilter("Polly", LogLevel.None);
// Standard output says nothing but "ready".
builder.Services.Configure<ConsoleLoggerOptions>(options => options.LogToStandardErrorThreshold = LogLevel.Trace);
builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(60));
builder.WebHost.ConfigureKestrel(options =>
{
    if (settings.HttpPort > 0)
        options.Listen(IPAddress.Loopback, settings.HttpPort);
});
if (settings.HttpPort > 0)
    builder.Services.AddOpenTelemetry().WithMetrics(metrics => metrics.AddMeter(Meters.Name, "Microsoft.Orleans", "System.Runtime").AddPrometheusExporter());
else
    builder.Services.AddSingleton<Microsoft.AspNetCore.Hosting.Server.IServer, NoServer>();
if (settings.StopWithInput)
    builder.Services.AddSingleton<IHostLifetime, InputLifetime>();

builder.Services.AddHealthChecks().AddCheck<ReadyCheck>("cluster");
builder.Services.AddSingleton(TimeProvider.System);
var meter = new Meter(Meters.Name);
var deviceMetrics = new DeviceMetrics(meter);
builder.Services.AddSingleton(new RunMetrics(meter));
builder.Services.AddSingleton(_ => new DeviceThreads(settings.Threads));
builder.Services.AddSingleton<DataSets>();
builder.Services.AddSingleton<ClusterWorkers>();
builder.Services.AddSingleton(services =>
{
    DeviceThreads threads = services.GetRequiredService<DeviceThreads>();
    return new WorkerDevice(settings.SiloName, threads, new Replicas(threads, services.GetRequiredService<DataSets>()), services.GetRequiredService<ClusterWorkers>().Find, deviceMetrics, TimeProvider.System);
});
builder.Services.AddSingleton(services =>
{
    DeviceThreads threads = services.GetRequiredService<DeviceThreads>();
    return new SamplerDevice(threads, new TrainedModels(threads, services.GetRequiredService<DataSets>()), deviceMetrics, TimeProvider.System);
});
builder.Host.UseOrleans(silo => silo
    .Configure<ClusterOptions>(options => (options.ClusterId, options.ServiceId) = (settings.ClusterId, ClusterNames.ServiceId))
    .Configure<SiloOptions>(options => options.SiloName = settings.SiloName)
    // A killed silo is dead after about 1 s, one that hangs after about 3 s. Computing threads give way to those that answer probes.
    .Configure<ClusterMembershipOptions>(options =>
    {
        options.ProbeTimeout = options.MaxProbeTimeout = options.TableRefreshTimeout = TimeSpan.FromSeconds(1);
        options.NumMissedProbesLimit = 3;
        // A silo that starts must reach all that have signed the table of late: with the default of half a minute it would wait for the dead.
        options.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(2);
    })
    .ConfigureEndpoints(IPAddress.Parse(settings.Address), settings.Port, settings.GatewayPort)
    .UseRedisClustering(options => options.ConfigurationOptions = redis)
    .AddRedisGrainStorage(StoreNames.Storage, storage => storage.Configure<Serializer>((options, serializer) =>
    {
        options.ConfigurationOptions = redis;
        // The default, JSON, leaves out zeros and false, and so takes them for a specification's defaults when it is read again.
        options.GrainStorageSerializer = new OrleansGrainStorageSerializer(serializer);
    }))
    .AddRedisGrainDirectory(StoreNames.Directory, options => options.ConfigurationOptions = redis)
    .AddPlacementDirector<WorkerPlacement, WorkerPlacementDirector>()
    // On every silo, with a page or not: the dashboard of one asks all. The log is not for it to show.
    .AddDashboard(options => options.HideTrace = true));
// After Orleans, so that it stops before: the worker leaves its run while the cluster still hears it.
builder.Services.AddHostedService(services => ActivatorUtilities.CreateInstance<RunKeeper>(services, settings.SiloName));

WebApplication app = builder.Build();
if (settings.HttpPort > 0)
{
    app.MapPrometheusScrapingEndpoint();
    // Alive is who answers; whether the cluster has the silo is another question, whose answer must not have it killed.
    app.MapHealthChecks("/health/live", new() { Predicate = _ => false });
    app.MapHealthChecks("/health/ready");
    Pages.Map(app);
}

app.Lifetime.ApplicationStarted.Register(() => Console.Out.WriteLine("ready"));
await app.RunAsync();
return 0;
