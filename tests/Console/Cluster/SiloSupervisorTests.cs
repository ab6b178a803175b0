using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Console.Tests.Display;

namespace PixelCnnCluster.Console.Tests.Cluster;

/// <summary>A silo is a shell script here; each start takes the next of the test's scripts.</summary>
[Trait("Needs", "processes")]
public sealed class SiloSupervisorTests : IDisposable
{
    private const string Healthy = "echo up; echo ready; cat > /dev/null; echo down", Broken = "echo broken; exit 134";

    private readonly TempFolder _folder = new();
    private readonly List<string> _notes = [];
    private readonly ManualTime _time = new();
    private readonly List<SiloProcess> _started = [];
    private readonly SemaphoreSlim _starts = new(0);

    public void Dispose()
    {
        _folder.Dispose();
        _starts.Dispose();
    }

    private string Log => _folder.File("worker-0.log");

    private SiloSupervisor Supervise(string first, params string[] next)
    {
        var scripts = new Queue<string>(next);
        return new SiloSupervisor(Start(first), () => Start(scripts.Dequeue()), _notes.Add, _time);
    }

    private SiloProcess Start(string script)
    {
        var silo = SiloProcess.Start("worker-0", ["/bin/sh", "-c", script], Log);
        _started.Add(silo);
        _starts.Release();
        return silo;
    }

    /// <summary>The process of the next start that the test has not asked for yet, when it is ready.</summary>
    private async Task<SiloProcess> NextAsync(string awaited)
    {
        await _starts.WaitAsync(TestContext.Current.CancellationToken).SoonAsync(awaited);
        SiloProcess silo = _started[^1];
        await silo.Ready.SoonAsync($"{awaited} to be ready");
        return silo;
    }

    [Fact]
    public async Task A_silo_that_is_killed_is_started_again_with_the_same_log()
    {
        await using (SiloSupervisor supervisor = Supervise(Healthy, Healthy))
        {
            SiloProcess first = await NextAsync("the first start");
            first.Kill();
            await NextAsync("the second start");
            Assert.False(supervisor.Ended.IsCompleted, "the silo lives");
        }

        Assert.Equal(["up", "up", "down"], await File.ReadAllLinesAsync(Log, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_silo_that_ends_by_itself_is_started_again()
    {
        await using SiloSupervisor supervisor = Supervise("echo ready; exit 134", Healthy);

        await NextAsync("the first start");
        await NextAsync("the second start");
    }

    [Fact]
    public async Task What_a_signal_has_ended_is_told_with_its_memory()
    {
        await using SiloSupervisor supervisor = Supervise("echo ready; kill -9 $$", Healthy);

        await NextAsync("the second start");
        await NextAsync("the second start");

        Assert.Matches(
            "^Signal 9 ended worker-0, which had used up to [0-9,]+ MB of memory. The system sends signal 9 where memory is short.$",
            Assert.Single(_notes));
    }

    [Fact]
    public async Task A_silo_that_fails_at_the_very_start_is_not_started_again()
    {
        await using SiloSupervisor supervisor = Supervise(Broken);

        await Assert.ThrowsAsync<ClusterFaultException>(() => supervisor.Ready.SoonAsync("the failure"));
        await supervisor.Ended.SoonAsync("the end");
        Assert.Single(_started);
    }

    [Fact]
    public async Task A_silo_that_fails_three_times_in_a_row_is_given_up()
    {
        await using SiloSupervisor supervisor = Supervise("echo ready", Broken, Broken, Broken, Healthy);

        await supervisor.Ended.SoonAsync("the silo to be given up");

        Assert.Equal(4, _started.Count);
        Assert.EndsWith("ends with:\n  broken", supervisor.Tail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_start_that_succeeds_forgives_those_that_failed()
    {
        await using SiloSupervisor supervisor = Supervise(
            "echo ready", Broken, Broken, "echo ready", Broken, Broken, "echo ready", Broken, Broken, Broken, Healthy);

        await supervisor.Ended.SoonAsync("the silo to be given up");

        Assert.Equal(10, _started.Count);
    }

    [Fact]
    public async Task Failures_that_take_their_time_are_borne()
    {
        var scripts = new Queue<string>([Broken, Broken, Broken, Broken, Healthy]);
        await using var supervisor = new SiloSupervisor(
            Start("echo ready"),
            () =>
            {
                _time.Pass(TimeSpan.FromSeconds(31));
                return Start(scripts.Dequeue());
            },
            _notes.Add,
            _time);

        for (int i = 0; i < 5; i++)
            await _starts.WaitAsync(TestContext.Current.CancellationToken).SoonAsync($"start {i}");

        await NextAsync("the start that succeeds");
    }

    [Fact]
    public async Task A_silo_whose_end_is_wanted_is_not_started_again()
    {
        SiloSupervisor killed = Supervise(Healthy);
        await NextAsync("the start");
        killed.Kill();
        await killed.Ended.SoonAsync("the killed silo's end");
        await killed.DisposeAsync();

        SiloSupervisor disposed = Supervise(Healthy);
        await NextAsync("the start");
        await disposed.DisposeAsync().AsTask().SoonAsync("the silo to end with its input");

        Assert.Equal(2, _started.Count);
    }

    [Fact]
    public async Task A_program_that_is_gone_ends_the_silo()
    {
        var supervisor = new SiloSupervisor(
            Start("echo ready"), () => SiloProcess.Start("worker-0", ["/no/such/program"], Log), _notes.Add, _time);

        await Assert.ThrowsAsync<ClusterFaultException>(() => supervisor.Ended.SoonAsync("the end"));
        await supervisor.DisposeAsync();
    }
}
