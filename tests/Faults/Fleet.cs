using System.Diagnostics;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Faults;

/// <summary>
/// Silo processes of one thread each that form a cluster through a Redis, and a client of them. A silo that ends though nobody asked it to
/// is started again: on a starved machine one may be taken for dead wrongly.
/// </summary>
/// <param name="folder">Where runs go.</param>
/// <param name="logs">Folder of the silos' logs.</param>
public sealed class Fleet(string folder, string logs, string redis, ClusterAccess? access = null) : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly List<SiloProcess> _silos = [];
    private readonly HashSet<SiloProcess> _asked = [];
    private readonly List<string> _lost = [];
    private readonly Dictionary<string, int[]> _portsOf = [];
    private readonly HttpClient _http = new();
    private ClusterConnection? _connection;
    private bool _over;

    /// <summary>All that were started, those that have ended among them.</summary>
    public IReadOnlyList<SiloProcess> Silos
    {
        get
        {
            lock (_gate)
                return [.. _silos];
        }
    }

    /// <summary>Names of the silos that run.</summary>
    public IReadOnlyList<string> Living => [.. Silos.Where(silo => !silo.Exited.IsCompleted).Select(silo => silo.Name)];

    /// <summary>Silos that ended though nobody asked them to, since <see cref="ForgetLost"/>.</summary>
    public IReadOnlyList<string> Lost
    {
        get
        {
            lock (_gate)
                return [.. _lost];
        }
    }

    /// <summary>Paths of the silos' logs.</summary>
    public IReadOnlyList<string> Logs => [.. Silos.Select(silo => silo.LogPath).Distinct()];

    /// <summary>Whether the silos that are started from now on have pages and metrics, which take a second to start.</summary>
    public bool HasPages { get; set; }

    /// <summary>Environment of the silos that are started from now on.</summary>
    public Dictionary<string, string> Environment { get; } = [];

    public string Folder => folder;

    public Grains Grains => _connection!.Grains;

    /// <summary>Starts silos of these names at once and waits until all are up, then connects to them if there are any.</summary>
    public async Task StartAsync(params IEnumerable<string> names)
    {
        foreach (SiloProcess silo in names.Select(name => Launch(name)).ToList())
            await silo.Ready.WithinAsync(Deadline.Generous, $"silo {silo.Name}");
        if (Silos.Count > 0)
        {
            _connection ??= await ClusterConnection.OpenAsync(new(redis), access ?? ClusterAccess.Open, CancellationToken.None)
                .WithinAsync(Deadline.Generous, "the connection to the cluster");
        }
    }

    /// <summary>Starts a silo without waiting for it; one whose name says that it is a sampler never trains.</summary>
    /// <param name="prefix">Command that runs it, as for another network namespace.</param>
    public SiloProcess Launch(string name, string address = "127.0.0.1", params IReadOnlyList<string> prefix) =>
        Launch(name, address, FreePorts.Find(4), prefix);

    /// <summary>The newest process of that name.</summary>
    public SiloProcess Silo(string name) => Silos.Last(silo => silo.Name == name);

    /// <summary>What the newest silo of that name answers on a page of its own: /metrics, /health/ready.</summary>
    public Task<HttpResponseMessage> GetAsync(string name, string page) => _http.GetAsync(new Uri($"http://{HttpOf(name)}{page}"));

    /// <summary>Where that is, host:port.</summary>
    public string HttpOf(string name) => $"127.0.0.1:{_portsOf[name][2]}";

    /// <summary>Ports of the newest silo of that name for silos, for consoles and for gradients.</summary>
    public IReadOnlyList<int> PortsOf(string name) => [.. _portsOf[name][..2], _portsOf[name][3]];

    /// <summary>Name of the silo that has logged the job's beginning last: there the job is.</summary>
    public string HolderOf(Guid job) => NewestTellerOf($"Job {job}");

    /// <summary>Name of the silo that has logged last that it began a generation of the run: there the coordinator is.</summary>
    public string CoordinatorOf(FollowedRun run) => NewestTellerOf($"Run {run.Name}, generation ");

    /// <summary>Ends the newest process of that name without grace.</summary>
    public void Kill(string name) => Asked(name).Kill();

    /// <summary>Sends a signal to the newest process of that name.</summary>
    public void Signal(string name, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{Asked(name).Id}"]);
        kill.WaitForExit();
    }

    /// <summary>Says that the newest process of that name may end, as one that is cut off does.</summary>
    public SiloProcess Asked(string name)
    {
        SiloProcess silo = Silo(name);
        lock (_gate)
            _asked.Add(silo);
        return silo;
    }

    public void ForgetLost()
    {
        lock (_gate)
            _lost.Clear();
    }

    /// <summary>Submits a run into a folder of its own.</summary>
    public async Task<FollowedRun> SubmitAsync(string name, RunSpec spec)
    {
        spec = spec with { Output = spec.Output with { SaveDir = Path.Combine(folder, name) } };
        long position = await Grains.Cluster.SubmitAsync(name, spec);
        return new(name, spec, Grains.Run(name), position);
    }

    public async ValueTask DisposeAsync()
    {
        lock (_gate)
            _over = true;
        if (_connection is not null)
            await _connection.DisposeAsync();
        _connection = null;
        foreach (SiloProcess silo in Silos)
            silo.Kill();
        foreach (SiloProcess silo in Silos)
            await silo.DisposeAsync();
        _http.Dispose();
    }

    private SiloProcess Launch(string name, string address, int[] ports, IReadOnlyList<string> prefix)
    {
        bool isSampler = name.StartsWith(ClusterNames.SamplerPrefix, StringComparison.Ordinal);
        string own = isSampler ? name[ClusterNames.SamplerPrefix.Length..] : name;
        Directory.CreateDirectory(logs);
        var silo = SiloProcess.Start(
            name,
            [
                .. prefix, "dotnet", SiloProgram.Find(AppContext.BaseDirectory),
                $"--Silo:Name={own}", $"--Silo:Redis={redis}", $"--Silo:Address={address}", $"--Silo:Port={ports[0]}",
                $"--Silo:GatewayPort={ports[1]}", $"--Silo:DataPort={ports[3]}",
                $"--Silo:HttpPort={(HasPages ? ports[2] : 0)}", "--Silo:Threads=1", "--Silo:StopWithInput=true",
                $"--Silo:SampleOnly={isSampler}",
            ],
            Path.Combine(logs, $"{own}.log"), Environment);
        lock (_gate)
        {
            _portsOf[name] = ports;
            _silos.Add(silo);
        }

        // A page that shows it goes on with the next process.
        _ = KeepAsync(silo, () => Launch(name, address, ports, prefix));
        return silo;
    }

    private async Task KeepAsync(SiloProcess silo, Action again)
    {
        await silo.Exited;
        lock (_gate)
        {
            // One that never came up is told to whoever waits for it.
            if (_over || _asked.Contains(silo) || !silo.Ready.IsCompletedSuccessfully)
                return;
            _lost.Add(silo.Name);
        }

        again();
    }

    private string NewestTellerOf(string text) => Silos
        .Select(silo =>
            (silo.Name, Line: File.ReadLines(silo.LogPath).LastOrDefault(line => line.Contains(text, StringComparison.Ordinal))))
        .Where(found => found.Line is not null)
        .OrderBy(found => found.Line, StringComparer.Ordinal)
        .Select(found => found.Name)
        .LastOrDefault() ?? throw new InvalidOperationException($"No silo's log has \"{text}\".");
}
