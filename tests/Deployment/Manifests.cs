using System.Diagnostics;
using k8s;
using k8s.Models;

namespace PixelCnnCluster.Deployment.Tests;

/// <summary>
/// The objects that a folder of k8s/ renders to. A field that Kubernetes does not know, or one that is there twice, is an error.
/// </summary>
public sealed class Manifests
{
    private static readonly Dictionary<string, Type> Customs = new()
    {
        ["monitoring.coreos.com/v1/PodMonitor"] = typeof(PodMonitor),
        ["monitoring.coreos.com/v1/PrometheusRule"] = typeof(PrometheusRule),
    };

    private readonly List<object> _objects;

    private Manifests(List<object> objects) => _objects = objects;

    public IEnumerable<IKubernetesObject<V1ObjectMeta>> All => _objects.Cast<IKubernetesObject<V1ObjectMeta>>();

    /// <summary>What makes pods.</summary>
    public IEnumerable<V1StatefulSet> Sets => Of<V1StatefulSet>();

    /// <summary>The set of the silos.</summary>
    public V1StatefulSet Silos => Sets.Single(set => set.Metadata.Name == "pixelcnn");

    /// <summary>As kubectl would send them.</summary>
    /// <param name="folder">Below k8s/.</param>
    public static string Render(string folder)
    {
        using Process kubectl = Process.Start(
            new ProcessStartInfo(
                "kubectl", ["kustomize", Path.Combine(Repository.Root, "k8s", folder)])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true
            })!;
        Task<string> error = kubectl.StandardError.ReadToEndAsync();
        string rendered = kubectl.StandardOutput.ReadToEnd();
        kubectl.WaitForExit();
        return kubectl.ExitCode == 0 ? rendered : throw new InvalidOperationException($"kubectl kustomize k8s/{folder}: {error.Result}");
    }

    /// <exception cref="YamlDotNet.Core.YamlException">A field is unknown, there twice, missing or of another type.</exception>
    public static Manifests Parse(string yaml) => new(KubernetesYaml.LoadAllFromString(yaml, Customs, strict: true));

    public IEnumerable<T> Of<T>() => _objects.OfType<T>();

    public bool Has<T>(string name)
        where T : IKubernetesObject<V1ObjectMeta> => Of<T>().Any(found => found.Metadata.Name == name);

    /// <summary>The sets whose pods a selector finds.</summary>
    public IEnumerable<V1StatefulSet> Selected(V1LabelSelector selector) => Sets.Where(set => Selects(selector.MatchLabels, set));

    /// <summary>Whether labels that are asked for, if any, are all on the set's pods.</summary>
    public static bool Selects(IDictionary<string, string>? labels, V1StatefulSet set) =>
        (labels ?? new Dictionary<string, string>()).All(set.Spec.Template.Metadata.Labels.Contains);
}

/// <summary>Short names for what is deep inside.</summary>
internal static class PodExtensions
{
    public static string Name(this V1StatefulSet set) => set.Metadata.Name;

    public static V1PodSpec Pod(this V1StatefulSet set) => set.Spec.Template.Spec;

    public static IEnumerable<V1Container> Containers(this V1StatefulSet set) =>
        (set.Pod().InitContainers ?? []).Concat(set.Pod().Containers);

    /// <summary>Whether a container has a port of that name or number.</summary>
    public static bool HasPort(this V1StatefulSet set, string port) =>
        set.Containers().SelectMany(container => container.Ports ?? []).Any(open => open.Name == port || $"{open.ContainerPort}" == port);

    public static IEnumerable<V1Probe?> Probes(this V1Container container) =>
        [container.StartupProbe, container.ReadinessProbe, container.LivenessProbe];
}
