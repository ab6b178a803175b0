using System.Text.Json;
using PixelCnnCluster.Client;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Console.Tests.Display;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests;

public sealed class RunWatchTests : IDisposable
{
    private readonly RunStatus _status = new(TimeProvider.System);
    private readonly PretendedRun _run = new();
    private readonly TaskCompletionSource _lost = new();
    private readonly StringWriter _output = new();

    public void Dispose() => _output.Dispose();

    private IEnumerable<string> Kinds => _output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("event").GetString()!);

    private Task<RunEnded> FollowAsync(CancellationTokenSource? stop = null, CancellationTokenSource? abort = null) =>
        new RunWatch(_run, _status, new JsonLinesDisplay(_output), _lost.Task, TimeProvider.System)
            .FollowAsync(0, stop?.Token ?? CancellationToken.None, abort?.Token ?? CancellationToken.None)
                .SoonAsync("the end of the watch");

    [Fact]
    public async Task Every_event_is_shown_once_up_to_the_last()
    {
        _run.Answers = [() => [Events.Started(), Events.Step(1)], () => [], () => [Events.Step(2), Events.Ended()]];

        RunEnded ended = await FollowAsync();

        Assert.Equal(Events.Ended(), ended);
        Assert.Equal(["started", "step", "step", "ended"], Kinds);
        Assert.Equal([0, 2, 2], _run.AskedFrom);
    }

    public static TheoryData<Exception> Faults =>
        [new TimeoutException("a gateway died"), new OrleansException("the silo died"), new InvalidOperationException("the store is busy")];

    [Theory]
    [MemberData(nameof(Faults), DisableDiscoveryEnumeration = true)]
    public async Task A_call_that_fails_is_repeated_from_the_same_position(Exception fault)
    {
        _run.Answers = [() => [Events.Started()], () => throw fault, () => [Events.Ended()]];

        await FollowAsync();

        Assert.Equal([0, 1, 1], _run.AskedFrom);
    }

    [Fact]
    public async Task Positions_may_jump_and_never_go_back()
    {
        _run.Answers = [() => [Events.Started()], () => [Events.Step(1)], () => [Events.Ended()]];
        _run.Positions = [1L << 32, 5, (1L << 32) + 1];

        await FollowAsync();

        Assert.Equal([0, 1L << 32, 1L << 32], _run.AskedFrom);
        Assert.Equal(["started", "step", "ended"], Kinds);
    }

    [Fact]
    public async Task The_end_of_a_run_that_was_resumed_is_an_event_like_others()
    {
        _run.Answers = [() => [Events.Started(), Events.Ended(RunOutcome.Stopped)],
            () => [Events.Started(), Events.Step(1), Events.Ended()]];

        RunEnded ended = await FollowAsync();

        Assert.Equal(RunOutcome.Completed, ended.Outcome);
        Assert.Equal(["started", "ended", "started", "step", "ended"], Kinds);
    }

    [Fact]
    public async Task A_run_that_is_over_and_does_not_say_how_is_a_fault()
    {
        _run.Answers = [() => [Events.Started()], () => []];

        await Assert.ThrowsAsync<ClusterFaultException>(() => FollowAsync());
    }

    [Fact]
    public async Task A_run_that_is_unknown_is_the_users_mistake()
    {
        _run.Answers = [() => throw new UserErrorException("there is no such run")];

        await Assert.ThrowsAsync<UserErrorException>(() => FollowAsync());
    }

    [Fact]
    public async Task A_cluster_that_is_silent_for_a_minute_is_lost()
    {
        var time = new ManualTime();
        Func<RunEvent[]> silent = () =>
        {
            time.Pass(TimeSpan.FromSeconds(13));
            throw new TimeoutException("nobody is there");
        };
        _run.Answers = [() => [Events.Started()], silent, silent, silent, silent, silent];

        ClusterFaultException fault = await Assert.ThrowsAsync<ClusterFaultException>(() =>
            new RunWatch(_run, _status, new JsonLinesDisplay(_output), _lost.Task, time).FollowAsync(
                0, CancellationToken.None, CancellationToken.None).SoonAsync("the end of the watch"));

        Assert.Equal("The cluster has not answered for 60 s: nobody is there", fault.Message);
    }

    /// <summary>Ctrl+Z for an hour: it is the console that was away.</summary>
    [Fact]
    public async Task A_console_that_slept_goes_on()
    {
        var time = new ManualTime();
        _run.Answers = [() => [Events.Started()], () =>
        {
            time.Pass(TimeSpan.FromHours(1));
            throw new TimeoutException("nobody was heard");
        }, () => [Events.Ended()]];

        RunEnded ended = await new RunWatch(_run, _status, new JsonLinesDisplay(_output), _lost.Task, time).FollowAsync(
            0, CancellationToken.None, CancellationToken.None).SoonAsync("the end of the watch");

        Assert.Equal(RunOutcome.Completed, ended.Outcome);
    }

    [Fact]
    public async Task The_wish_to_stop_is_handed_on_once()
    {
        using var stop = new CancellationTokenSource();
        await stop.CancelAsync();
        _run.Answers = [() => [Events.Started()], () => [], () => [Events.Ended(RunOutcome.Stopped)]];

        RunEnded ended = await FollowAsync(stop);

        Assert.Equal(RunOutcome.Stopped, ended.Outcome);
        Assert.Equal(1, _run.Stops);
    }

    [Fact]
    public async Task The_wish_to_stop_is_repeated_until_it_is_heard()
    {
        using var stop = new CancellationTokenSource();
        await stop.CancelAsync();
        _run.Stop = () => _run.Stops == 1 ? throw new TimeoutException("a gateway died") : Task.CompletedTask;
        _run.Answers = [() => [Events.Started()], () => [Events.Ended(RunOutcome.Stopped)]];

        await FollowAsync(stop);

        Assert.Equal(2, _run.Stops);
    }

    [Fact]
    public async Task A_run_that_ends_before_it_can_be_stopped_has_ended()
    {
        using var stop = new CancellationTokenSource();
        await stop.CancelAsync();
        _run.Stop = () => throw new UserErrorException("it has ended");
        _run.Answers = [() => [Events.Ended()]];

        Assert.Equal(RunOutcome.Completed, (await FollowAsync(stop)).Outcome);
    }

    [Fact]
    public async Task Nobody_waits_for_a_lost_cluster()
    {
        _run.Answers = [() => [Events.Started()]];
        Task<RunEnded> following = FollowAsync();

        _lost.SetException(new ClusterFaultException("every worker has ended"));

        await Assert.ThrowsAsync<ClusterFaultException>(() => following);
    }

    [Fact]
    public async Task Nobody_waits_for_the_step_when_told_not_to()
    {
        using var abort = new CancellationTokenSource();
        _run.Answers = [() => [Events.Started()]];
        Task<RunEnded> following = FollowAsync(abort: abort);

        await abort.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => following);
    }
}
