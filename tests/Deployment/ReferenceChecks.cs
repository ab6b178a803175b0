using k8s.Models;

namespace PixelCnnCluster.Deployment.Tests;

/// <summary>Whatever one object says of another is so.</summary>
internal static class ReferenceChecks
{
    /// <param name="secrets">Secrets that are made by hand: name/key.</param>
    public static IEnumerable<string> Complaints(Manifests manifests, IReadOnlySet<string> secrets) =>
    [
        .. manifests.All.CountBy(found => (found.Kind, found.Metadata.Name)).Where(pair => pair.Value > 1)
            .Select(pair => $"{pair.Key} is there twice"),
        .. manifests.All.Where(found => found is not V1Namespace && !manifests.Has<V1Namespace>(found.Metadata.NamespaceProperty)).Select(
            found => $"{found.Kind} {found.Metadata.Name} is in no namespace of ours"),
        .. manifests.Of<V1Service>().SelectMany(service => OfService(manifests, service)),
        .. manifests.Of<V1PodDisruptionBudget>().Where(budget => !manifests.Selected(budget.Spec.Selector).Any()).Select(
            budget => $"PodDisruptionBudget {budget.Metadata.Name} selects no pod"),
        .. manifests.Sets.SelectMany(
            set => OfSet(manifests, set).Concat(OfVolumes(manifests, set, secrets)).Concat(
                set.Containers().SelectMany(container => OfContainer(set, container, secrets)))
            .Select(complaint => $"{set.Name()}: {complaint}")),
    ];

    private static IEnumerable<string> OfService(Manifests manifests, V1Service service)
    {
        V1StatefulSet[] selected = [.. manifests.Selected(new() { MatchLabels = service.Spec.Selector })];
        if (selected.Length == 0)
            yield return $"Service {service.Metadata.Name} selects no pod";
        foreach (V1ServicePort port in service.Spec.Ports.Where(port => !selected.All(set => set.HasPort(port.TargetPort.Value))))
            yield return $"Service {service.Metadata.Name} leads to port {port.TargetPort.Value}, which its pods lack";
    }

    private static IEnumerable<string> OfSet(Manifests manifests, V1StatefulSet set)
    {
        if (!manifests.Selected(set.Spec.Selector).SequenceEqual([set]))
            yield return "its selector finds other pods than its own";
        if (!manifests.Of<V1Service>().Any(
            service => service.Metadata.Name == set.Spec.ServiceName && Manifests.Selects(service.Spec.Selector, set)))
            yield return $"no service {set.Spec.ServiceName} selects its pods";
        if (!manifests.Has<V1ServiceAccount>(set.Pod().ServiceAccountName))
            yield return $"there is no service account {set.Pod().ServiceAccountName}";
        if ((set.Pod().TopologySpreadConstraints ?? []).Any(spread => !manifests.Selected(spread.LabelSelector).Contains(set)))
            yield return "it is spread over nodes by other pods than its own";
    }

    private static IEnumerable<string> OfVolumes(Manifests manifests, V1StatefulSet set, IReadOnlySet<string> secrets)
    {
        string[] claimed = [.. (set.Spec.VolumeClaimTemplates ?? []).Select(claim => claim.Metadata.Name)];
        string[] there = [.. set.Pod().Volumes.Select(volume => volume.Name), .. claimed];
        string[] mounted = [.. set.Containers().SelectMany(container => container.VolumeMounts ?? []).Select(mount => mount.Name)
            .Distinct()];
        foreach (string name in mounted.Except(there))
            yield return $"there is no volume {name} to mount";
        foreach (string name in there.Except(mounted))
            yield return $"volume {name} is mounted nowhere";
        foreach (V1Volume volume in set.Pod().Volumes)
        {
            if (volume.PersistentVolumeClaim is { } claim && !manifests.Has<V1PersistentVolumeClaim>(claim.ClaimName))
                yield return $"there is no claim {claim.ClaimName}";
            if (volume.ConfigMap is { } config && !manifests.Has<V1ConfigMap>(config.Name))
                yield return $"there is no ConfigMap {config.Name}";
            if (volume.Secret is { } secret && !secrets.Any(known => known.StartsWith(secret.SecretName + "/", StringComparison.Ordinal)))
                yield return $"docs/kubernetes.md makes no secret {secret.SecretName}";
        }
    }

    private static IEnumerable<string> OfContainer(V1StatefulSet set, V1Container container, IReadOnlySet<string> secrets)
    {
        foreach (V1HTTPGetAction probe in container.Probes().Select(probe => probe?.HttpGet).OfType<V1HTTPGetAction>()
            .Where(probe => !set.HasPort(probe.Port.Value)))
            yield return $"a probe asks port {probe.Port.Value}, which is not there";
        foreach (V1SecretKeySelector key in container.Env.Select(variable => variable.ValueFrom?.SecretKeyRef).OfType<V1SecretKeySelector>()
            .Where(key => !secrets.Contains($"{key.Name}/{key.Key}")))
            yield return $"docs/kubernetes.md makes no secret {key.Name} with {key.Key}";
    }
}
