using System.Diagnostics;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests.Faults;

/// <summary>Silos in network namespaces of their own, between which packets are dropped.</summary>
public sealed class PartitionTests(UndisturbedRun undisturbed)
    : ClusterTests(new() { RedisHost = "10.77.0.1" }, isOwn: true), IAsyncLifetime
{
    private SiloProcess[] _silos = [];

    /// <summary>A bridge, and a namespace with a link to it for each silo.</summary>
    public async ValueTask InitializeAsync()
    {
        RemoveNetwork();
        Ip("link add pixelcnn type bridge");
        Ip("addr add 10.77.0.1/24 dev pixelcnn");
        Ip("link set pixelcnn up");
        for (int i = 0; i < 3; i++)
        {
            Ip($"netns add pixelcnn-{i}");
            Ip($"link add pixelcnn-{i} type veth peer name eth0 netns pixelcnn-{i}");
            Ip($"link set pixelcnn-{i} master pixelcnn");
            Ip($"link set pixelcnn-{i} up");
            Ip($"-n pixelcnn-{i} addr add {Address(i)}/24 dev eth0");
            Ip($"-n pixelcnn-{i} link set eth0 up");
            Ip($"-n pixelcnn-{i} link set lo up");
        }

        Cluster.Environment["Silo__AllowPlaintext"] = "true";
        Cluster.Environment["Silo__Folders"] = Cluster.Folder;
        await Cluster.HealAsync();
        _silos = [.. Enumerable.Range(0, 3).Select(Launch)];
        foreach (SiloProcess silo in _silos)
            await silo.Ready.WithinAsync(Deadline.Generous, $"silo {silo.Name}");
        await Cluster.Fleet.StartAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        RemoveNetwork();
    }

    /// <summary>Both sides reach the store, and it decides who goes on.</summary>
    [Fact]
    public async Task Silos_that_do_not_reach_each_other_do_not_train_side_by_side()
    {
        FollowedRun run = await Cluster.SubmitAsync("run", UndisturbedRun.Spec);
        await run.StepAsync(5);
        Drop(0, Address(1), Address(2));
        GenerationOpened smaller = await run.NextAsync<GenerationOpened>(opened => opened.Workers.Count < 3, "a generation of one side");
        Heal(0);
        await AssertGoneAsync(smaller.Workers);
        await AssertOneSideAsync(run);
    }

    /// <summary>A coordinator that reaches its own worker and nothing else must stop before another takes over.</summary>
    [Fact]
    public async Task A_coordinator_that_is_cut_off_from_everything_stops()
    {
        FollowedRun run = await Cluster.SubmitAsync("run", UndisturbedRun.Spec);
        await run.StepAsync(5);
        string name = Cluster.Fleet.CoordinatorOf(run);
        int coordinator = Enumerable.Range(0, 3).Single(i => name == $"worker-{i}");
        Drop(coordinator, "10.77.0.0/24");
        GenerationOpened without = await run.NextAsync<GenerationOpened>(
            opened => !opened.Workers.Contains(name), "a generation of the others");
        Heal(coordinator);
        await AssertGoneAsync(without.Workers);
        await AssertOneSideAsync(run);
    }

    /// <summary>Who counts as dead ends when it learns so.</summary>
    private async Task AssertGoneAsync(IReadOnlyList<string> left)
    {
        foreach (SiloProcess silo in _silos.Where(silo => !left.Contains(silo.Name)))
            await silo.Exited.WithinAsync(Deadline.Generous, $"the end of {silo.Name}, which counts as dead");
    }

    private async Task AssertOneSideAsync(FollowedRun run)
    {
        await undisturbed.AssertSameEndAsync(run);
        (int Generation, long Step)[] commits = [.. run.Events.OfType<StepCommitted>().Select(step => (step.Generation, step.Step))];
        Assert.Equal(commits.Order(), commits);
    }

    private SiloProcess Launch(int i) => Cluster.Fleet.Launch($"worker-{i}", Address(i), "ip", "netns", "exec", $"pixelcnn-{i}");

    private static string Address(int i) => $"10.77.0.{10 + i}";

    private void Drop(int i, params IEnumerable<string> peers)
    {
        // Whichever side loses ends.
        foreach (SiloProcess silo in _silos)
            Cluster.Fleet.Asked(silo.Name);
        foreach (string peer in peers)
        {
            Ip($"netns exec pixelcnn-{i} iptables -A INPUT -s {peer} -j DROP");
            Ip($"netns exec pixelcnn-{i} iptables -A OUTPUT -d {peer} -j DROP");
        }
    }

    private static void Heal(int i) => Ip($"netns exec pixelcnn-{i} iptables -F");

    /// <summary>
    /// What is there of it, as after a run of these tests that was killed. A namespace takes its links along only some time later, when the
    /// next test may have begun.
    /// </summary>
    private static void RemoveNetwork()
    {
        for (int i = 0; i < 3; i++)
        {
            Ip($"link del pixelcnn-{i}", mayFail: true);
            Ip($"netns del pixelcnn-{i}", mayFail: true);
        }

        Ip("link del pixelcnn", mayFail: true);
    }

    private static void Ip(string arguments, bool mayFail = false)
    {
        using Process process = Process.Start(new ProcessStartInfo("ip", arguments) { RedirectStandardError = true })!;
        string said = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(mayFail || process.ExitCode == 0, $"ip {arguments} failed: {said}");
    }
}
