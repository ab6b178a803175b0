using System.Text.RegularExpressions;
using k8s.Models;
using YamlDotNet.Core;

namespace PixelCnnCluster.Deployment.Tests;

/// <summary>
/// The manifests are what Kubernetes knows, agree with each other and with the program, and follow good practice; each way to break them is
/// noticed.
/// </summary>
[Trait("Needs", "processes")]
public sealed partial class ManifestTests
{
    private static readonly HashSet<string> Secrets = [.. SecretLine().Matches(Repository.Read("docs/kubernetes.md"))
        .SelectMany(line => line.Groups["key"].Captures.Select(key => $"{line.Groups["name"].Value}/{key.Value}"))];

    private static readonly Dictionary<string, string> Rendered =
        new[] { "base", "overlays/local", "overlays/gpu", "monitoring" }.ToDictionary(folder => folder, Manifests.Render);

    [Theory]
    [InlineData("base", 3, "ReadWriteMany", "pixelcnn:1.0.0-cpu")]
    [InlineData("overlays/local", 2, "ReadWriteOnce", "pixelcnn:1.0.0-cpu")]
    [InlineData("overlays/gpu", 3, "ReadWriteMany", "pixelcnn:1.0.0-cuda")]
    public void Nothing_is_wrong_with_the_silos(string folder, int silos, string access, string image)
    {
        Assert.Empty(Complaints(Rendered[folder]));
        var manifests = Manifests.Parse(Rendered[folder]);
        Assert.Equal((silos, image), (manifests.Silos.Spec.Replicas, manifests.Silos.Pod().Containers.Single().Image));
        Assert.All(manifests.Of<V1PersistentVolumeClaim>(), claim => Assert.Equal([access], claim.Spec.AccessModes));
    }

    [Fact]
    public void Each_silo_has_a_GPU_and_computes_on_it_in_its_overlay_and_there_alone()
    {
        Assert.Equal(("1", "cuda"), Gpus("overlays/gpu"));
        Assert.Equal((null, null), Gpus("base"));
        Assert.Equal((null, null), Gpus("overlays/local"));

        static (string? Count, string? Device) Gpus(string folder)
        {
            V1Container silo = Manifests.Parse(Rendered[folder]).Silos.Pod().Containers.Single();
            return (silo.Resources.Limits.TryGetValue("nvidia.com/gpu", out ResourceQuantity? count) ? count.ToString()
                : null, silo.Env.SingleOrDefault(variable => variable.Name == "Silo__Device")?.Value);
        }
    }

    [Fact]
    public void Nothing_is_wrong_with_the_monitoring() =>
        Assert.Empty(MonitoringChecks.Complaints(Manifests.Parse(Rendered["monitoring"]), Manifests.Parse(Rendered["base"])));

    [Fact]
    public void The_secret_for_TLS_has_the_files_that_the_silo_reads() =>
        Assert.Superset(new HashSet<string> { "pixelcnn-tls/tls.crt", "pixelcnn-tls/tls.key", "pixelcnn-tls/ca.crt" }, Secrets);

    [Theory]
    [MemberData(nameof(Breakages.OfSilos), MemberType = typeof(Breakages))]
    public void What_is_broken_in_the_base_is_told(string was, string becomes, string complaint) =>
        AssertTold(complaint, Complaints(Break("base", was, becomes)));

    [Theory]
    [MemberData(nameof(Breakages.OfMonitoring), MemberType = typeof(Breakages))]
    public void What_is_broken_in_the_monitoring_is_told(string was, string becomes, string complaint)
    {
        string broken = Break("monitoring", was, becomes);
        AssertTold(complaint, Reading(() => MonitoringChecks.Complaints(Manifests.Parse(broken), Manifests.Parse(Rendered["base"]))));
    }

    private static void AssertTold(string complaint, IEnumerable<string> told) =>
        Assert.Contains(told, sentence => sentence.Contains(complaint, StringComparison.Ordinal));

    private static IEnumerable<string> Complaints(string yaml) => Reading(() =>
    {
        var manifests = Manifests.Parse(yaml);
        return [.. ReferenceChecks.Complaints(manifests, Secrets), .. PodChecks.Complaints(manifests),
            .. NetworkChecks.Complaints(manifests), .. SiloChecks.Complaints(manifests)];
    });

    private static IEnumerable<string> Reading(Func<IEnumerable<string>> complaints)
    {
        try
        {
            return complaints();
        }
        catch (YamlException unreadable)
        {
            return [$"{unreadable.Message} {unreadable.InnerException?.Message}"];
        }
    }

    private static string Break(string folder, string was, string becomes)
    {
        Assert.Contains(was, Rendered[folder], StringComparison.Ordinal);
        return Rendered[folder].Replace(was, becomes, StringComparison.Ordinal);
    }

    [GeneratedRegex(@"create secret generic (?<name>\S+)( --from-file=(?<key>[^=\s]+)(=(<\([^)]*\)|\S+))?)+", RegexOptions.ExplicitCapture)]
    private static partial Regex SecretLine();
}
