using k8s.Models;

namespace PixelCnnCluster.Deployment.Tests;

/// <summary>Rules of good practice that every pod keeps.</summary>
internal static class PodChecks
{
    public static IEnumerable<string> Complaints(Manifests manifests) =>
    [
        .. manifests.Of<V1Secret>().Select(secret => $"Secret {secret.Metadata.Name} is in the manifests; secrets are made by hand"),
        .. manifests.Of<V1ServiceAccount>().Where(account => account.AutomountServiceAccountToken != false).Select(
            account => $"ServiceAccount {account.Metadata.Name} mounts its token"),
        .. manifests.All.Where(found => found is V1Pod or V1Deployment or V1DaemonSet or V1ReplicaSet or V1Job or V1CronJob).Select(
            found => $"{found.Kind} {found.Metadata.Name} makes pods that nothing here looks at"),
        .. manifests.Sets.SelectMany(
            set => OfPod(set.Pod()).Concat(set.Containers().SelectMany(OfContainer)).Select(complaint => $"{set.Name()} {complaint}")),
    ];

    private static IEnumerable<string> OfPod(V1PodSpec pod)
    {
        V1PodSecurityContext security = pod.SecurityContext ?? new();
        if (security.RunAsNonRoot != true || security.RunAsUser is null or 0)
            yield return "may run as root";
        if (security.SeccompProfile?.Type != "RuntimeDefault")
            yield return "has no seccomp profile";
        if (pod.AutomountServiceAccountToken != false)
            yield return "mounts a token";
        if (pod.EnableServiceLinks != false)
            yield return "gets variables for every service";
        if (pod.HostNetwork == true || pod.HostPID == true || pod.HostIPC == true
            || (pod.Volumes ?? []).Any(volume => volume.HostPath is not null))
            yield return "shares what is the node's";
    }

    private static IEnumerable<string> OfContainer(V1Container container)
    {
        V1SecurityContext security = container.SecurityContext ?? new();
        if (security.ReadOnlyRootFilesystem != true)
            yield return "can write to its image";
        if (security.AllowPrivilegeEscalation != false || security.Privileged == true)
            yield return "can gain privileges";
        if (security.Capabilities is not { Add: null or { Count: 0 }, Drop: ["ALL"] })
            yield return "keeps capabilities";
        foreach (string resource in new[] { "cpu", "memory" })
        {
            if (container.Resources?.Requests?.ContainsKey(resource) != true)
                yield return $"requests no {resource}";
            if (container.Resources?.Limits?.ContainsKey(resource) != true)
                yield return $"has no limit of {resource}";
        }

        if (container.Probes().Contains(null))
            yield return "lacks a probe";
        if (container.Image.Split(':') is not [_, not "latest"])
            yield return $"has the image {container.Image}, which may be another tomorrow";
        foreach (V1EnvVar secret in (container.Env ?? []).Where(IsLiteralSecret))
            yield return $"has the secret {secret.Name} written down";
    }

    private static bool IsLiteralSecret(V1EnvVar variable) =>
        (variable.Name.Contains("password", StringComparison.OrdinalIgnoreCase)
            || variable.Name.Contains("token", StringComparison.OrdinalIgnoreCase) || variable.Name == "REDISCLI_AUTH")
        && variable.Value is not (null or ['$', '(', .., ')']);
}
