using PixelCnnCluster.Client;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Console.Tests.Display;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests;

public sealed class RunWatchTests : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    private readonly RunStatus _status = new(TimeProvider.System);
    private readonly PretendedRun _run = new();
    private readonly TaskCompletionSource _lost = new();
    private readonly StringWriter _output = new();

    public void Dispose() => _output.Dispose();

    private Task<RunEnded> FollowAsync(CancellationTokenSource? stop = null, CancellationTokenSource? abort = null) =>
        new RunWatch(_run, _status, new JsonLinesDisplay(_output), _lost.Task, TimeProvider.System)
            .FollowAsync(Presets.Quick, stop?.Token ?? CancellationToken.None, abort?.Token ?? CancellationToken.None).WaitAsync(Deadline, TestContext.Current.CancellationToken);

    [Fact]
    public async Task Every_event_is_shown_once_up_to_the_last()
    {
        _run.Answers = [() => [Events.Started(), Events.Step(1)], () => [], () => [Events.Step(2), Events.Ended()]];

        var ended = await FollowAsync();

        Assert.Equal(Events.Ended(), ended);
        Assert.Equal(4, _output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Equal([0, 2, 2], _run.AskedFrom);
    }

    [Fact]
    public async Task A_call_that_fails_is_repeated_from_the_same_position()
    {
        _run.Answers = [() => [Events.Started()], () => throw new TimeoutException("a gateway died"), () => [Events.Ended()]];

        await FollowAsync();

        Assert.Equal([0, 1, 1], _run.AskedFrom);
    }

    [Fact]
    public async Task The_wish_to_stop_is_handed_on_once()
    {
        using var stop = new CancellationTokenSource();
        await stop.CancelAsync();
        _run.Answers = [() => [Events.Started()], () => [], () => [Events.Ended(RunOutcome.Stopped)]];

        var ended = await FollowAsync(stop);

        Assert.Equal(RunOutcome.Stopped, ended.Outcome);
        Assert.Equal(1, _run.Stops);
    }

    [Fact]
    public async Task Nobody_waits_for_a_lost_cluster()
    {
        _run.Answers = [() => [Events.Started()]];
        var following = FollowAsync();

        _lost.SetException(new ClusterFaultException("every worker has ended"));

        await Assert.ThrowsAsync<ClusterFaultException>(() => following);
    }

    [Fact]
    public async Task Nobody_waits_for_the_step_when_told_not_to()
    {
        using var abort = new CancellationTokenSource();
        _run.Answers = [() => [Events.Started()]];
        var following = FollowAsync(abort: abort);

        await abort.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => following);
    }

    /// <summary>Answers each read with the next of the test's answers, and never again when there are none left.</summary>
    private sealed class PretendedRun : ITrainingRunGrain
    {
        public IReadOnlyList<Func<RunEvent[]>> Answers { get; set; } = [];

        public List<int> AskedFrom { get; } = [];

        public int Stops { get; private set; }

        public Task StartAsync(RunSpec spec) => Task.CompletedTask;

        public Task StopAsync()
        {
            Stops++;
            return Task.CompletedTask;
        }

        public Task<RunProgress> ReadAsync(int from)
        {
            if (AskedFrom.Count == Answers.Count)
                return new TaskCompletionSource<RunProgress>().Task;
            AskedFrom.Add(from);
            var events = Answers[AskedFrom.Count - 1]();
            return Task.FromResult(new RunProgress(events, from + events.Length));
        }
    }
}
