using k8s;
using k8s.Models;

namespace PixelCnnCluster.Deployment.Tests;

/// <summary>An object of the Prometheus operator; of its fields only those that are used here, so that a misspelt one is found.</summary>
public abstract class CustomResource<T> : IKubernetesObject<V1ObjectMeta>
{
    public required string ApiVersion { get; set; }

    public required string Kind { get; set; }

    public required V1ObjectMeta Metadata { get; set; }

    public required T Spec { get; set; }
}

public sealed class PodMonitor : CustomResource<PodMonitorSpec>;

public sealed record PodMonitorSpec
{
    public required NamespaceNames NamespaceSelector { get; init; }

    public required V1LabelSelector Selector { get; init; }

    public required IList<MetricsEndpoint> PodMetricsEndpoints { get; init; }
}

public sealed record NamespaceNames
{
    public required IList<string> MatchNames { get; init; }
}

public sealed record MetricsEndpoint
{
    public required string Port { get; init; }

    public required string Path { get; init; }

    public required string Interval { get; init; }
}

public sealed class PrometheusRule : CustomResource<PrometheusRuleSpec>;

public sealed record PrometheusRuleSpec
{
    public required IList<RuleGroup> Groups { get; init; }
}

public sealed record RuleGroup
{
    public required string Name { get; init; }

    public required IList<Rule> Rules { get; init; }
}

/// <summary>Either records or alerts.</summary>
public sealed record Rule
{
    public string? Record { get; init; }

    public string? Alert { get; init; }

    public required string Expr { get; init; }

    public string? For { get; init; }

    public IDictionary<string, string>? Labels { get; init; }

    public IDictionary<string, string>? Annotations { get; init; }
}
