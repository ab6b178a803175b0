using System.Globalization;
using k8s.Models;
using PixelCnnCluster.Client.Arguments;
using PixelCnnCluster.Client.Cluster;

namespace PixelCnnCluster.Deployment.Tests;

/// <summary>The silos' set agrees with the program that runs in it.</summary>
internal static class SiloChecks
{
    private static readonly (string Setting, string Port)[] Ports = [("Silo__Port", "silo"), ("Silo__GatewayPort", "gateway"),
        ("Silo__DataPort", "data"), ("Silo__HttpPort", "http")];

    private static readonly string[] ConsoleVariables = [CommonFlags.ClusterVariable, ClusterAccess.TlsVariable,
        ClusterAccess.PasswordVariable];

    private static readonly Dictionary<string, string> Fields = new() { ["metadata.name"] = "pixelcnn-0", ["status.podIP"] = "10.0.0.1" };

    public static IEnumerable<string> Complaints(Manifests manifests)
    {
        V1PodSpec pod = manifests.Silos.Pod();
        V1Container container = pod.Containers.Single();
        IReadOnlyDictionary<string, string> environment;
        try
        {
            environment = PodEnvironment.Of(container, Fields, key => $"secret-of-{key.Name}");
        }
        catch (KeyNotFoundException missing)
        {
            return [missing.Message];
        }

        return
        [
            .. SiloProgramSettings.Mistakes(environment),
            .. environment.Keys.Where(name => name.StartsWith("PIXELCNN_", StringComparison.Ordinal)).Except(ConsoleVariables)
                .Select(name => $"the console reads no variable {name}"),
            .. Ports.Where(
                pair => container.Ports.Single(port => port.Name == pair.Port).ContainerPort.ToString(CultureInfo.InvariantCulture)
                    != environment.GetValueOrDefault(pair.Setting))
                .Select(pair => $"{pair.Setting} is not the port named {pair.Port}"),
            .. environment.GetValueOrDefault("Silo__Folders", "").Split(':').Where(
                folder => VolumeAt(pod, folder)?.PersistentVolumeClaim is null).Select(
                    folder => $"Silo__Folders names {folder}, where no claim is mounted"),
            .. OfTimes(manifests.Silos),
            .. OfNames(manifests, environment),
        ];
    }

    private static IEnumerable<string> OfTimes(V1StatefulSet silos)
    {
        if (!(silos.Pod().TerminationGracePeriodSeconds > SiloProgramSettings.ShutdownTimeout.TotalSeconds))
            yield return $"silos are killed after {silos.Pod().TerminationGracePeriodSeconds} s, and may need " +
                $"{SiloProgramSettings.ShutdownTimeout.TotalSeconds} s to stop";
        if (silos.Spec is not { UpdateStrategy.Type: "RollingUpdate", PodManagementPolicy: "Parallel" })
            yield return "silos are not updated one by one, or not started at once";
        V1Container container = silos.Pod().Containers.Single();
        if (container.Probes().Select(probe => probe?.HttpGet?.Path) is var paths
            && !paths.SequenceEqual(["/health/live", "/health/ready", "/health/live"]))
            yield return $"probes ask {string.Join(", ", paths)}";
    }

    private static IEnumerable<string> OfNames(Manifests manifests, IReadOnlyDictionary<string, string> environment)
    {
        string redis = environment.GetValueOrDefault("Silo__Redis", ""), tls = environment.GetValueOrDefault("Silo__Tls", "");
        if (environment.GetValueOrDefault("Silo__Name", "") != Fields["metadata.name"]
            || environment.GetValueOrDefault("Silo__Address", "") != Fields["status.podIP"])
            yield return "silos are not named and addressed as their pods";
        if (environment.GetValueOrDefault(CommonFlags.ClusterVariable, "") != redis)
            yield return "the console looks for another Redis than the silos";
        if (!manifests.Of<V1Service>().SelectMany(service => service.Spec.Ports.Select(port => $"{service.Metadata.Name}:{port.Port}"))
            .Contains(redis))
            yield return $"no service answers at {redis}";
        V1PodSpec pod = manifests.Silos.Pod();
        if (VolumeAt(pod, tls)?.Secret is null)
            yield return $"Silo__Tls names {tls}, where no secret is mounted";
        // A file that is mounted by itself is not renewed with its secret.
        if (pod.Containers.Single().VolumeMounts.Any(mount => mount.SubPath is not null))
            yield return "a part of a volume is mounted, which is not renewed with it";
        if (VolumeAt(pod, "/tmp")?.EmptyDir is null)
            yield return "/tmp cannot be written to";
    }

    private static V1Volume? VolumeAt(V1PodSpec pod, string path) =>
        pod.Containers.Single().VolumeMounts.SingleOrDefault(mount => mount.MountPath == path) is { } found
            ? pod.Volumes.SingleOrDefault(volume => volume.Name == found.Name) : null;
}
