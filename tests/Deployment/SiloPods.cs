using k8s.Models;
using PixelCnnCluster.Client.Cluster;

namespace PixelCnnCluster.Deployment.Tests;

/// <summary>
/// The pods of the silos' set as processes with the environment that the manifest gives them, each time at a new address, as pods have it.
/// </summary>
internal sealed class SiloPods(V1StatefulSet set, string redis, string folder, string certificates) : IDisposable
{
    private readonly HttpClient _http = new();
    private readonly Lock _gate = new();
    private readonly Dictionary<int, ContainerProcess> _pods = [];
    private readonly V1Container _container = set.Pod().Containers.Single();
    private int _address = 10;

    public int Count => set.Spec.Replicas!.Value;

    /// <summary>
    /// Starts the pod of an ordinal and waits until it is ready. Its container is started again when it ends though nobody asked it to.
    /// </summary>
    public async Task StartAsync(int ordinal)
    {
        string name = $"{set.Name()}-{ordinal}", port = $"{FreePorts.Find(1)[0]}";
        Dictionary<string, string> fields = new() { ["metadata.name"] = name, ["status.podIP"] = $"127.0.0.{++_address}" };
        Dictionary<string, string> settings = new(
            SiloProgramSettings.Of(PodEnvironment.Of(_container, fields, key => $"secret-of-{key.Name}")))
        {
            // Redis has no name here, the pages of all pods are on one machine, and nothing is mounted.
            ["Redis"] = redis,
            ["Tls"] = certificates,
            ["Folders"] = folder,
            ["HttpPort"] = port,
        };
        ContainerProcess pod;
        lock (_gate)
            _pods[ordinal] = pod = Launch();
        await pod.ReadyAsync(async () =>
        {
            try
            {
                using HttpResponseMessage answer = await _http.GetAsync(
                    new Uri($"http://127.0.0.1:{port}{_container.ReadinessProbe.HttpGet.Path}"));
                return answer.IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        });

        _ = KeepAsync();

        ContainerProcess Launch() => new(
            name,
            ["dotnet", SiloProgram.Find(AppContext.BaseDirectory)],
            settings.Select(pair => KeyValuePair.Create(SiloProgramSettings.Prefix + pair.Key, pair.Value)),
            Path.Combine(folder, $"{name}.log"));

        async Task KeepAsync()
        {
            while (true)
            {
                await pod.Exited;
                lock (_gate)
                {
                    if (_pods.GetValueOrDefault(ordinal) != pod)
                        return;
                    _pods[ordinal] = pod = Launch();
                }
            }
        }
    }

    /// <summary>Asks the pod of an ordinal to end, as before a new one takes its place, and gives its exit code.</summary>
    public async Task<int> TerminateAsync(int ordinal)
    {
        ContainerProcess? pod;
        lock (_gate)
            _pods.Remove(ordinal, out pod);
        using ContainerProcess ended = pod!;
        return await ended.TerminateAsync(TimeSpan.FromSeconds(set.Pod().TerminationGracePeriodSeconds!.Value));
    }

    public void Dispose()
    {
        lock (_gate)
        {
            foreach (ContainerProcess pod in _pods.Values)
                pod.Dispose();
            _pods.Clear();
        }

        _http.Dispose();
    }
}
