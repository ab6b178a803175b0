using System.Text.Json;
using k8s.Models;

namespace PixelCnnCluster.Deployment.Tests;

/// <summary>What the monitoring's objects say of themselves and of the silos; their queries are tried by the cluster's tests.</summary>
internal static class MonitoringChecks
{
    /// <param name="monitored">The silos' own manifests.</param>
    public static IEnumerable<string> Complaints(Manifests manifests, Manifests monitored) =>
    [
        .. manifests.All.Where(found => found.Metadata.NamespaceProperty != NetworkChecks.Monitoring).Select(
            found => $"{found.Kind} {found.Metadata.Name} is not in {NetworkChecks.Monitoring}"),
        .. manifests.Of<PodMonitor>().SelectMany(monitor => OfMonitor(monitor, monitored)),
        .. manifests.Of<PrometheusRule>().SelectMany(rules => rules.Spec.Groups).SelectMany(group => group.Rules)
            .Where(rule => !IsWhole(rule)).Select(rule => $"rule {rule.Record ?? rule.Alert} is not whole"),
        .. manifests.Of<V1ConfigMap>().SelectMany(OfDashboards),
    ];

    private static IEnumerable<string> OfMonitor(PodMonitor monitor, Manifests monitored)
    {
        if (!monitor.Spec.NamespaceSelector.MatchNames.SequenceEqual(monitored.Of<V1Namespace>().Select(space => space.Metadata.Name)))
            yield return "PodMonitor looks into another namespace";
        if (!monitored.Selected(monitor.Spec.Selector).SequenceEqual([monitored.Silos]))
            yield return "PodMonitor does not select the silos";
        if (!monitor.Spec.PodMetricsEndpoints.All(endpoint => endpoint.Path == "/metrics" && monitored.Silos.HasPort(endpoint.Port)))
            yield return "PodMonitor asks a page that silos do not have";
    }

    /// <summary>A record, or an alert that says how bad it is and what to do.</summary>
    private static bool IsWhole(Rule rule) => rule.Record is null != rule.Alert is null
        && (rule.Alert is null || (rule.Labels?.ContainsKey("severity") == true && rule.Annotations?.ContainsKey("summary") == true));

    private static IEnumerable<string> OfDashboards(V1ConfigMap map)
    {
        if (map.Metadata.Labels?.Contains(new("grafana_dashboard", "1")) != true)
            yield return $"Grafana does not see ConfigMap {map.Metadata.Name}";
        string[] files = [.. Directory.GetFiles(Path.Combine(Repository.Root, "k8s", "monitoring", "dashboards"))
            .Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
        if (!map.Data.Keys.Order(StringComparer.Ordinal).SequenceEqual(files))
            yield return $"ConfigMap {map.Metadata.Name} has not all dashboards";
        string?[] names = [.. map.Data.Values.Select(text => JsonDocument.Parse(text).RootElement.GetProperty("uid").GetString())];
        if (names.Distinct().Count() < names.Length)
            yield return "two dashboards have one uid";
    }
}
