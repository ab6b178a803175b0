using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.Extensions.Logging.Console;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using Orleans.Configuration;
using Orleans.Dashboard;
using Orleans.Serialization;
using Orleans.Storage;
using PixelCnnCluster.Actors;
using PixelCnnCluster.Actors.Cluster;
using PixelCnnCluster.Actors.Jobs;
using PixelCnnCluster.Actors.Telemetry;
using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;
using PixelCnnCluster.Exchange.Handshakes;
using PixelCnnCluster.Files;
using PixelCnnCluster.Silo.Settings;
using PixelCnnCluster.Silo.Web;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Data;
using PixelCnnCluster.Training.Devices;
using StackExchange.Redis;

namespace PixelCnnCluster.Silo;

/// <summary>Puts a silo together.</summary>
internal static partial class SiloHost
{
    /// <summary>A silo that is told to stop hands its worker over within this time; Kubernetes' grace period is longer.</summary>
    public static readonly TimeSpan ShutdownTimeout = TimeSpan.FromSeconds(60);

    /// <param name="ahead">How much this machine's clock is ahead of Redis'.</param>
    public static WebApplication Build(
        WebApplicationBuilder builder, SiloSettings settings, ConfigurationOptions redis, ClusterCertificates? certificates, TimeSpan ahead)
    {
        AddLogs(builder);
        AddPages(builder, settings);
        AddPeers(builder, settings, certificates);
        AddDevice(builder.Services, settings);
        AddOrleans(builder, settings, redis, certificates);
        WebApplication app = builder.Build();
        if (settings.HttpPort > 0)
            Pages.Map(app, settings);
        ILogger log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("PixelCnnCluster.Silo");
        if (certificates is not null)
        {
            certificates.Log = log;
            certificates.Refused = app.Services.GetRequiredService<RefusalLog>().Tell;
        }

        if (ahead.Duration() > SharedStore.MostSkew)
            LogSkew(log, Math.Abs(ahead.TotalSeconds), ahead > TimeSpan.Zero ? "ahead of" : "behind", settings.Redis);
        app.Lifetime.ApplicationStarted.Register(() => Console.Out.WriteLine("ready"));
        return app;
    }

    private static void AddLogs(WebApplicationBuilder builder)
    {
        builder.Logging.ClearProviders().AddConsole();
        // Standard output says nothing but "ready".
        builder.Services.Configure<ConsoleLoggerOptions>(options => options.LogToStandardErrorThreshold = LogLevel.Trace);
        // Placement logs its own tries; whoever asked tells what came of them.
        builder.Logging.AddFilter("Polly", LogLevel.None);
        // It would tell each refused connection with its stack; RefusalLog tells them once a minute.
        builder.Logging.AddFilter("Orleans.Connections.Security", LogLevel.None);
    }

    private static void AddPages(WebApplicationBuilder builder, SiloSettings settings)
    {
        if (settings.HttpPort > 0)
        {
            builder.WebHost.ConfigureKestrel(options =>
            {
                options.Limits.MaxRequestBodySize = 0;
                options.AddServerHeader = false;
                options.Listen(IPAddress.Parse(settings.HttpAddress), settings.HttpPort);
            });
            Pages.AddTo(builder, settings);
        }
        else
        {
            builder.WebHost.UseServer(new NoPages());
        }

        builder.Services.AddHealthChecks().AddCheck<ReadyCheck>("cluster");
        if (IsTraced(builder))
            builder.Services.AddOpenTelemetry().WithTracing(
                traces => traces.AddSource(Meters.Name, "Microsoft.Orleans.Application").AddOtlpExporter());
    }

    /// <summary>
    /// Direct connections between workers. They are taken before the cluster can ask where, and until the worker has been handed over.
    /// </summary>
    private static void AddPeers(WebApplicationBuilder builder, SiloSettings settings, ClusterCertificates? certificates)
    {
        PeerTls? tls = certificates is null ? null : new(certificates.ServerOptions, certificates.ClientOptions, certificates.Watch);
        builder.Services.AddSingleton<RefusalLog>();
        builder.Services.AddSingleton<HandshakeGate>();
        builder.Services.AddSingleton(services => new PeerListener(
            new(IPAddress.Parse(settings.Address), settings.DataPort), tls, services.GetRequiredService<HandshakeGate>(),
            greeting => services.GetRequiredService<WorkerService>().ExchangeFor(greeting),
            services.GetRequiredService<ILogger<PeerListener>>()));
        builder.Services.AddSingleton<IDataEndpoint>(services => services.GetRequiredService<PeerListener>()).AddHostedService(
            services => services.GetRequiredService<PeerListener>());
        builder.Services.AddSingleton<IPeerNetwork>(
            services => new PeerNetwork(worker => services.GetRequiredService<ClusterWorkers>().Find(worker).DataEndpointAsync(), tls));
    }

    private static bool IsTraced(WebApplicationBuilder builder) =>
        !string.IsNullOrEmpty(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]);

    private static void AddDevice(IServiceCollection services, SiloSettings settings)
    {
        var meter = new Meter(Meters.Name);
        var deviceMetrics = new DeviceMetrics(meter);
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(new RunMetrics(meter));
        services.AddSingleton(deviceMetrics);
        services.AddSingleton<JobSlots>();
        services.AddSingleton(new AllowedFolders(settings.Roots()));
        services.AddSingleton(_ =>
        {
            var threads = new DeviceThreads(settings.Threads, settings.Device);
            if (threads.UsedMemory is not null)
                deviceMetrics.WatchMemory(() => threads.UsedMemory!.Value);
            return threads;
        });
        services.AddSingleton<DataSets>();
        services.AddSingleton(services => new Replicas(
            services.GetRequiredService<DeviceThreads>(), services.GetRequiredService<DataSets>(),
            services.GetRequiredService<AllowedFolders>(), (long)(MachineMemory.Limit() * settings.MemoryShare)));
        services.AddSingleton<TrainedModels>();
        services.AddSingleton(settings.Timeouts);
        services.AddSingleton<ClusterWorkers>();
        services.AddSingleton(services => new WorkerService(
            settings.SiloName(), services.GetRequiredService<DeviceThreads>(), services.GetRequiredService<Replicas>(),
            new(
                services.GetRequiredService<ClusterWorkers>().Find, services.GetRequiredService<IPeerNetwork>(),
                services.GetRequiredService<ILogger<PeerLinks>>()),
            deviceMetrics, TimeProvider.System));
        services.AddSingleton(services => new SamplerService(
            services.GetRequiredService<DeviceThreads>(), services.GetRequiredService<TrainedModels>(), deviceMetrics,
            TimeProvider.System));
    }

    private static void AddOrleans(
        WebApplicationBuilder builder, SiloSettings settings, ConfigurationOptions redis, ClusterCertificates? certificates)
    {
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = ShutdownTimeout);
        if (settings.StopWithInput)
            builder.Services.AddSingleton<IHostLifetime, InputLifetime>();
        builder.Host.UseOrleans(silo =>
        {
            silo.Configure<ClusterOptions>(options => (options.ClusterId, options.ServiceId) = (settings.ClusterId, ClusterNames.ServiceId))
                .Configure<SiloOptions>(options => options.SiloName = settings.SiloName())
                // A killed silo is dead after about 1 s, one that hangs after about 3 s. Computing threads give way to those that answer
                // probes.
                .Configure<ClusterMembershipOptions>(options =>
                {
                    options.ProbeTimeout = options.MaxProbeTimeout = options.TableRefreshTimeout = TimeSpan.FromSeconds(1);
                    options.NumMissedProbesLimit = 3;
                    // A silo that starts must reach all that have signed the table of late: with the default of half a minute it would wait
                    // for the dead.
                    options.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(2);
                })
                .ConfigureEndpoints(IPAddress.Parse(settings.Address), settings.Port, settings.GatewayPort)
                .UseRedisClustering(options => options.ConfigurationOptions = redis)
                .AddRedisGrainStorage(StoreNames.Storage, storage => storage.Configure<Serializer>((options, serializer) =>
                {
                    options.ConfigurationOptions = redis;
                    // The default, JSON, leaves out zeros and false, and so takes them for a specification's defaults when it is read
                    // again.
                    options.GrainStorageSerializer = new OrleansGrainStorageSerializer(serializer);
                }))
                .AddRedisGrainDirectory(StoreNames.Directory, options => options.ConfigurationOptions = redis)
                .AddPlacementDirector<WorkerPlacement, WorkerPlacementDirector>();
            // It watches each call, and the dashboard of one silo asks all; but nobody looks at a console's own cluster. The log is not for
            // it to show.
            if (settings.HttpPort > 0 || !settings.StopWithInput)
                silo.AddDashboard(options => options.HideTrace = true);
            if (IsTraced(builder))
                silo.AddActivityPropagation();
            if (certificates is not null)
                SecuredConnections.Use(silo, certificates);
        });
        builder.Services.AddHostedService(services => ActivatorUtilities.CreateInstance<SiloPresence>(
            services, redis, settings.ClusterId, settings.SiloName(), settings.MemberAddress()));
        builder.Services.AddHostedService(services => ActivatorUtilities.CreateInstance<StoreMirror>(services, redis, settings.ClusterId));
        // The worker leaves its run before anything stops: the cluster still hears it, and the connections of its exchange stand.
        builder.Services.AddHostedService<RunSupervisor>();
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "This machine's clock is {Seconds:F0} s {Side} that of Redis at {Redis}; set both by NTP: silos may be taken for dead " +
            "and certificates for expired")]
    private static partial void LogSkew(ILogger log, double seconds, string side, string redis);
}
