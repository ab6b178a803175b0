using k8s.Models;

namespace PixelCnnCluster.Deployment.Tests;

/// <summary>Network policies let pass what must, and nothing else.</summary>
internal static class NetworkChecks
{
    /// <summary>The namespace that figures are read from.</summary>
    public const string Monitoring = "monitoring";

    private static readonly (string From, string To, string Port)[] Needed =
    [
        ("pixelcnn", "pixelcnn", "silo"), ("pixelcnn", "pixelcnn", "gateway"), ("pixelcnn", "pixelcnn", "data"),
        ("pixelcnn", "pixelcnn-redis", "redis"),
    ];

    public static IEnumerable<string> Complaints(Manifests manifests)
    {
        V1NetworkPolicy[] policies = [.. manifests.Of<V1NetworkPolicy>()];
        foreach (V1NetworkPolicy policy in policies.Where(policy => !manifests.Selected(policy.Spec.PodSelector).Any()))
            yield return $"NetworkPolicy {policy.Metadata.Name} selects no pod";
        if (!policies.Any(
            policy =>
                policy.Spec is
                {
                    PodSelector.MatchLabels: null
                    or { Count: 0 }, Ingress: null, Egress: null, PolicyTypes: ["Ingress", "Egress"]
                }))
            yield return "no NetworkPolicy denies what is not allowed";
        foreach (V1StatefulSet from in manifests.Sets)
        {
            if (!Leaves(policies, from, peer => Names(peer, "kube-system"), "53"))
                yield return $"{from.Name()} may not ask for names";
            foreach (V1StatefulSet to in manifests.Sets)
            {
                foreach (string port in to.Containers().SelectMany(container => container.Ports).Select(port => port.Name))
                {
                    bool isNeeded = Needed.Contains((from.Name(), to.Name(), port));
                    if (isNeeded && !Leaves(policies, from, peer => IsPod(peer, to), port))
                        yield return $"{from.Name()} may not call port {port} of {to.Name()}";
                    if (Enters(policies, to, peer => IsPod(peer, from), port) != isNeeded)
                        yield return $"{to.Name()} {(isNeeded ? "does not let" : "lets")} {from.Name()} in at port {port}";
                }
            }
        }

        if (!Enters(policies, manifests.Silos, peer => Names(peer, Monitoring), "http"))
            yield return $"the namespace {Monitoring} may not read the silos' figures";
    }

    private static bool Enters(
        IEnumerable<V1NetworkPolicy> policies, V1StatefulSet to, Func<V1NetworkPolicyPeer, bool> isFrom, string port) => policies
        .Where(policy => Manifests.Selects(policy.Spec.PodSelector.MatchLabels, to))
        .SelectMany(policy => policy.Spec.Ingress ?? [])
        .Any(rule => IsOpen(rule.FromProperty, isFrom, rule.Ports, port));

    private static bool Leaves(
        IEnumerable<V1NetworkPolicy> policies, V1StatefulSet from, Func<V1NetworkPolicyPeer, bool> isTo, string port) => policies
        .Where(policy => Manifests.Selects(policy.Spec.PodSelector.MatchLabels, from))
        .SelectMany(policy => policy.Spec.Egress ?? [])
        .Any(rule => IsOpen(rule.To, isTo, rule.Ports, port));

    /// <summary>A rule without peers is for all of them, and likewise without ports.</summary>
    private static bool IsOpen(
        IList<V1NetworkPolicyPeer>? peers, Func<V1NetworkPolicyPeer, bool> isPeer, IList<V1NetworkPolicyPort>? ports, string port) =>
        (peers is null || peers.Any(isPeer)) && (ports is null || ports.Any(open => open.Port.Value == port));

    private static bool IsPod(V1NetworkPolicyPeer peer, V1StatefulSet set) =>
        peer is { NamespaceSelector: null, PodSelector: { } pods } && Manifests.Selects(pods.MatchLabels, set);

    private static bool Names(V1NetworkPolicyPeer peer, string name) =>
        peer is { PodSelector: null, NamespaceSelector.MatchLabels: { } labels }
            && labels.Contains(new("kubernetes.io/metadata.name", name));
}
