using System.Diagnostics;
using System.Globalization;
using k8s.Models;
using PixelCnnCluster.Client.Cluster;

namespace PixelCnnCluster.Deployment.Tests;

/// <summary>A real Redis, started by the manifest's command and configuration and asked by its probe.</summary>
[Trait("Needs", "processes")]
public sealed class RedisTests : IDisposable
{
    private const string Password = "correct-horse";

    private readonly string _folder = Directory.CreateTempSubdirectory("pixelcnn-redis-").FullName;
    private readonly string _port = $"{FreePorts.Find(1)[0]}";

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Redis_keeps_what_it_is_told_by_those_who_know_a_password_that_its_command_line_does_not_show()
    {
        var manifests = Manifests.Parse(Manifests.Render("base"));
        V1StatefulSet set = manifests.Sets.Single(set => set.Name() == "pixelcnn-redis");
        V1Container container = set.Containers().Single();
        string configuration = manifests.Of<V1ConfigMap>().Single().Data["redis.conf"];
        string file = Path.Combine(_folder, "redis.conf");
        await File.WriteAllTextAsync(
            file, $"{configuration.Replace("/data", _folder, StringComparison.Ordinal)}\nport {_port}\n",
            TestContext.Current.CancellationToken);
        string[] command = [.. container.Command,
            .. container.Args.Select(line => line.Replace("/etc/redis/redis.conf", file, StringComparison.Ordinal))];
        IList<string> probe = container.ReadinessProbe.Exec.Command;
        IReadOnlyDictionary<string, string> environment = PodEnvironment.Of(container, new Dictionary<string, string>(), _ => Password);

        long limit = (long)container.Resources.Limits["memory"].ToDecimal();

        for (int start = 1; start <= 2; start++)
        {
            using var redis = new ContainerProcess("Redis", command, environment, Path.Combine(_folder, "log"));
            await redis.ReadyAsync(async () => (await AskAsync(Password, [.. probe.Skip(1)])).ExitCode == 0);
            Assert.NotEqual(0, (await AskAsync("wrong", [.. probe.Skip(1)])).ExitCode);
            Assert.Contains("NOAUTH", (await AskAsync(null, "ping")).Output, StringComparison.Ordinal);
            Assert.DoesNotContain(
                Password, await File.ReadAllTextAsync($"/proc/{redis.Id}/cmdline", TestContext.Current.CancellationToken),
                StringComparison.Ordinal);
            // It refuses to take more before the kernel ends it; a rewrite of its log may double some of it.
            Assert.InRange(
                long.Parse((await AskAsync(Password, "config", "get", "maxmemory")).Output.Split('\n')[1], CultureInfo.InvariantCulture),
                1, limit * 2 / 3);
            Assert.Equal($"{start}", (await AskAsync(Password, "incr", "starts")).Output.Trim());
            Assert.Equal(0, await redis.TerminateAsync(TimeSpan.FromSeconds(set.Pod().TerminationGracePeriodSeconds!.Value)));
        }
    }

    private async Task<(int ExitCode, string Output)> AskAsync(string? password, params string[] arguments)
    {
        var start = new ProcessStartInfo("redis-cli", ["-p", _port, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true
        };
        if (password is not null)
            start.Environment["REDISCLI_AUTH"] = password;
        using Process client = Process.Start(start)!;
        Task<string> error = client.StandardError.ReadToEndAsync();
        string output = await client.StandardOutput.ReadToEndAsync();
        await client.WaitForExitAsync();
        return (client.ExitCode, output + await error);
    }
}
