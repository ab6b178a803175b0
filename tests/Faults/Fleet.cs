using System.Diagnostics;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Faults;

/// <summary>Silo processes of one thread each that form a cluster through a Redis, and a client of them.</summary>
public sealed class Fleet(string folder, string redis, ClusterAccess? access = null) : IAsyncDisposable
{
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(60);

    private readonly List<SiloProcess> silos = [];
    private readonly Dictionary<string, int[]> portsOf = [];
    private readonly HttpClient http = new();
    private ClusterConnection? connection;

    public IReadOnlyList<SiloProcess> Silos => silos;

    /// <summary>Environment of the silos that are started from now on.</summary>
    public Dictionary<string, string> Environment { get; } = [];

    public string Folder => folder;

    public Grains Grains => connection!.Grains;

    /// <summary>Starts silos of these names at once and waits until all are up, then connects to them if there are any.</summary>
    public async Task StartAsync(params IEnumerable<string> names)
    {
        foreach (SiloProcess silo in names.Select(name => Launch(name)).ToList())
            await silo.Ready.WithinAsync(StartPatience, $"silo {silo.Name}");
        if (silos.Count > 0)
            connection ??= await ClusterConnection.OpenAsync(new(redis), access ?? ClusterAccess.Open, CancellationToken.None).WithinAsync(StartPatience, "the connection to the cluster");
    }

    /// <summary>Starts a silo without waiting for it; one whose name says that it is a sampler never trains.</summary>
    /// <param name="prefix">Command that runs it, as for another network namespace.</param>
    public SiloProcess Launch(string name, string address = "127.0.0.1", params IEnumerable<string> prefix)
    {
        int[] ports = FreePorts.Find(3);
        portsOf[name] = ports;
        bool isSampler = name.StartsWith(ClusterNames.SamplerPrefix, StringComparison.Ordinal);
        string own = isSampler ? name[ClusterNames.SamplerPrefix.Length..] : name;
        var silo = SiloProcess.Start(
            name,
            [
                .. prefix, "dotnet", SiloProgram.Find(AppContext.BaseDirectory),
                $"--Silo:Name={own}", $"--Silo:Redis={redis}", $"--Silo:Address={address}", $"--Silo:Port={ports[0]}", $"--Silo:GatewayPort={ports[1]}",
                $"--Silo:HttpPort={ports[2]}", "--Silo:Threads=1", "--Silo:StopWithInput=true", $"--Silo:SampleOnly={isSampler}",
            ],
            Path.Combine(folder, $"{own}.log"), Environment);
        silos.Add(silo);
        return silo;
    }

    /// <summary>The newest process of that name.</summary>
    public SiloProcess Silo(string name) => silos.Last(silo => silo.Name == name);

    /// <summary>What the newest silo of that name answers on a page of its own: /metrics, /health/ready.</summary>
    public Task<HttpResponseMessage> GetAsync(string name, string page) => http.GetAsync(new Uri($"http://{HttpOf(name)}{page}"));

    /// <summary>Where that is, host:port.</summary>
    public string HttpOf(string name) => $"127.0.0.1:{portsOf[name][2]}";

    /// <summary>Ports of the newest silo of that name for silos and for consoles.</summary>
    public IReadOnlyList<int> PortsOf(string name) => portsOf[name][..2];

    /// <summary>Name of the silo that has logged the job's beginning last: there the job is.</summary>
    public string HolderOf(Guid job) => silos
        .Select(silo => (silo.Name, Line: File.ReadLines(silo.LogPath).LastOrDefault(text => text.Contains($"Job {job}", StringComparison.Ordinal))))
        .Where(found => found.Line is not null)
        .OrderBy(found => found.Line, StringComparer.Ordinal)
        .Last().Name;

    /// <summary>Sends a signal to the newest process of that name.</summary>
    public void Signal(string name, string signal)
    {
        using Process kill = Process.Start("kill", [$"-{signal}", $"{Silo(name).Id}"]);
        kill.WaitForExit();
    }

    /// <summary>Submits a run into a folder of its own.</summary>
    public async Task<FollowedRun> SubmitAsync(string name, RunSpec spec)
    {
        spec = spec with { SaveDir = Path.Combine(folder, name) };
        long position = await Grains.Cluster.SubmitAsync(name, spec);
        return new(name, spec, Grains.Run(name), position);
    }

    public async ValueTask DisposeAsync()
    {
        if (connection is not null)
            await connection.DisposeAsync();
        connection = null;
        foreach (SiloProcess silo in silos)
            silo.Kill();
        foreach (SiloProcess silo in silos)
            await silo.DisposeAsync();
        silos.Clear();
        http.Dispose();
    }
}
